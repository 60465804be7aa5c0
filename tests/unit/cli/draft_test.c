#include "tools/picctl/draft.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/manifest.h"
#include "tools/picctl/proposal.h"

#define KEY_A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define HEAD(kind, name) "apiVersion: pic/v1\nkind: " kind "\nmetadata:\n  name: " name "\nspec:\n"
#define CELL(name, vpn) HEAD("Cell", name) "  domain: " name ".cell\n  network:\n    vpn: " vpn "\n"
#define PEER(name, key, rest) HEAD("Peer", name) "  publicKey: " key "\n" rest

enum { FILE_MAX = 64 * 1024 };

/* A manifest directory of its own, the working directory of the test. */
struct room {
    char path[32];
    struct config config;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void room_clear(struct room *room)
{
    config_clear(&room->config);
    cr_expect_eq(chdir("/"), 0);
    nftw(room->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
#define ROOM_AUTO __attribute__((cleanup(room_clear))) struct room

static void set(char **member, const char *value)
{
    mem_freep(member);
    *member = mem_strdup(value);
}

static void room_open(struct room *room)
{
    *room = (struct room){.path = "/tmp/pic-draft-XXXXXX"};
    cr_assert(mkdtemp(room->path) && chdir(room->path) == 0 && mkdir("m", 0755) == 0);
    config_init(&room->config);
    set(&room->config.manifests, "m");
    set(&room->config.secrets, "s");
    set(&room->config.state, "state");
    set(&room->config.run, "run");
}

static void put(const char *path, const char *text)
{
    struct io_write_options options = {.mode = 0640};
    ERROR_AUTO error = NULL;
    cr_assert_eq(io_write_atomic(path, text, strlen(text), &options, &error), 0, "%s",
                 error->message);
}

static void expect_file(const char *path, const char *text)
{
    STRBUF_AUTO bytes = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    if (!text) {
        cr_expect_not(io_exists(path), "%s is there", path);
        return;
    }
    cr_assert_eq(io_read(path, FILE_MAX, &bytes, &error), 0, "%s", error->message);
    cr_expect_str_eq(bytes.text, text, "%s: [%s]", path, bytes.text);
}

/* Puts one manifest in, as `picctl apply` does; the outcome, 1 objections, < 0 an error. */
static int apply(const struct room *room, const char *text, enum outcome *ret, char **retmessage)
{
    PROPOSAL_AUTO proposal = {0};
    struct error *error = NULL;
    int r = proposal_open(&room->config, &proposal, &error);
    if (r == 0)
        r = proposal_add_text(&proposal, text, &error);
    if (r == 0)
        r = proposal_settle(&proposal, &error);
    if (r == 0)
        r = proposal_write(&proposal, &error);
    if (r == 0)
        *ret = proposal.list[0].outcome;
    *retmessage = error ? mem_strdup(error->message) : NULL;
    error_free(error);
    return r;
}

static void expect_apply(const struct room *room, const char *text, enum outcome expected)
{
    enum outcome outcome = OUTCOME_UNCHANGED;
    MEM_AUTO char *message = NULL;
    int r = apply(room, text, &outcome, &message);
    cr_assert_eq(r, 0, "%s", message ? message : "objections");
    cr_expect_eq(outcome, expected, "outcome %d", (int)outcome);
}

static void expect_refused(const struct room *room, const char *text, const char *part)
{
    enum outcome outcome;
    MEM_AUTO char *message = NULL;
    cr_assert_lt(apply(room, text, &outcome, &message), 0);
    cr_expect(strstr(message, part), "%s", message);
}

Test(draft, a_new_resource_gets_a_file_and_an_address)
{
    ROOM_AUTO room;
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    room_open(&room);
    put("m/cell.yaml", CELL("alpha", "10.10.0.0/24"));
    expect_apply(&room, PEER("tv", KEY_A, "  internet: true\n"), OUTCOME_CREATED);
    cr_assert_eq(io_read("m/peer-tv.yaml", FILE_MAX, &text, &error), 0);
    cr_expect(strstr(text.text, "publicKey: " KEY_A "\n  address: 10.10.0."), "[%s]", text.text);
    cr_expect(strstr(text.text, "\n  internet: true\n"), "[%s]", text.text);

    /* Again the same without an address: it keeps the one that was written. */
    expect_apply(&room, PEER("tv", KEY_A, "  internet: true\n"), OUTCOME_UNCHANGED);
    expect_file("m/peer-tv.yaml", text.text);
}

Test(draft, what_was_not_asked_for_stays)
{
    ROOM_AUTO room;
    struct stat st;
    room_open(&room);
    put("m/all.yml", "# top\n" CELL("alpha", "10.10.0.0/24") "# between\n---\n" PEER(
                         "tv", KEY_A, "  address: 10.10.0.5 # mine\n") "# end\n");
    expect_apply(&room, PEER("tv", KEY_B, "  address: 10.10.0.6\n"), OUTCOME_CONFIGURED);
    expect_file("m/all.yml", "# top\n" CELL("alpha", "10.10.0.0/24") "# between\n---\n" PEER(
                                 "tv", KEY_B, "  address: 10.10.0.6\n") "# end\n");
    cr_assert_eq(stat("m/all.yml", &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0640);
}

Test(draft, refused)
{
    ROOM_AUTO room;
    room_open(&room);
    put("m/cell.yaml", CELL("alpha", "10.10.0.0/24"));
    put("m/peer-tv.yaml", "# somebody's notes\n");
    expect_refused(&room, PEER("tv", KEY_A, ""), "is there, and Peer/tv is not in it");
    expect_file("m/peer-tv.yaml", "# somebody's notes\n");

    put("m/rest.yaml", PEER("phone", KEY_B, "  address: 10.10.0.5\n") "---\na: [\n");
    expect_refused(&room, PEER("phone", KEY_A, ""), "cannot be read to its end");

    /* YAML ends a line at a lone CR: the place of the document cannot be told. */
    put("m/rest.yaml", "# old\r#\rkind: x\n---\n" PEER("phone", KEY_B, "  address: 10.10.0.5\n"));
    expect_refused(&room, PEER("phone", KEY_A, "  address: 10.10.0.5\n"), "change it by hand");

    cr_assert_eq(unlink("m/rest.yaml"), 0);
    put("elsewhere.yaml", PEER("phone", KEY_B, "  address: 10.10.0.5\n"));
    cr_assert_eq(symlink("../elsewhere.yaml", "m/link.yaml"), 0);
    expect_refused(&room, PEER("phone", KEY_A, ""), "symbolic link");
    expect_file("elsewhere.yaml", PEER("phone", KEY_B, "  address: 10.10.0.5\n"));

    cr_assert_eq(rename("m", "real"), 0);
    cr_assert_eq(symlink("real", "m"), 0);
    expect_refused(&room, PEER("new", KEY_A, ""), "sync tool");
    expect_file("real/peer-new.yaml", NULL);
}

Test(draft, several_cells)
{
    ROOM_AUTO room;
    room_open(&room);
    cr_assert(mkdir("m/a", 0755) == 0 && mkdir("m/b", 0755) == 0);
    put("m/a/cell.yaml", CELL("alpha", "10.10.0.0/24"));
    put("m/b/cell.yaml", CELL("beta", "10.20.0.0/24"));
    put("m/b/tv.yaml", PEER("tv", KEY_A, "  address: 10.20.0.5\n"));
    expect_refused(&room, PEER("tv", KEY_B, "  address: 10.10.0.5\n"), "--cell");

    set(&room.config.cell, "alpha");
    expect_apply(&room, PEER("tv", KEY_B, "  address: 10.10.0.5\n"), OUTCOME_CREATED);
    expect_file("m/a/peer-tv.yaml", PEER("tv", KEY_B, "  address: 10.10.0.5\n"));
    expect_file("m/b/tv.yaml", PEER("tv", KEY_A, "  address: 10.20.0.5\n"));
}

static int delete (const struct room *room, const char *id)
{
    DRAFT_AUTO draft = {0};
    ERROR_AUTO error = NULL;
    int r = draft_open(&room->config, &draft, &error);
    if (r == 0)
        r = draft_remove(&draft, id, &error);
    if (r == 0)
        r = draft_build(&draft, &error);
    return r == 0 ? draft_write(&draft, &error) : r;
}

Test(draft, removing)
{
    ROOM_AUTO room;
    room_open(&room);
    put("m/all.yaml", "# top\n" PEER("tv", KEY_A, "") "---\n" PEER("phone", KEY_B, "") "# end\n");
    cr_assert_eq(delete (&room, "Peer/phone"), 0);
    expect_file("m/all.yaml", "# top\n" PEER("tv", KEY_A, "") "# end\n");
    cr_assert_lt(delete (&room, "Peer/phone"), 0);
    cr_assert_eq(delete (&room, "Peer/tv"), 0);
    expect_file("m/all.yaml", NULL);
}

/* The second file cannot be written (its name is taken by a directory meanwhile): the first is put
 * back. */
Test(draft, all_or_nothing)
{
    ROOM_AUTO room;
    DRAFT_AUTO draft = {0};
    ERROR_AUTO error = NULL;
    room_open(&room);
    put("m/a.yaml", PEER("a", KEY_A, ""));
    put("m/b.yaml", PEER("b", KEY_B, ""));
    cr_assert_eq(draft_open(&room.config, &draft, &error), 0);
    cr_assert_eq(draft_remove(&draft, "Peer/a", &error), 0);
    cr_assert_eq(draft_remove(&draft, "Peer/b", &error), 0);
    cr_assert_eq(draft_build(&draft, &error), 0);
    cr_assert(unlink("m/b.yaml") == 0 && mkdir("m/b.yaml", 0755) == 0);
    cr_assert_lt(draft_write(&draft, &error), 0);
    expect_file("m/a.yaml", PEER("a", KEY_A, ""));
}
