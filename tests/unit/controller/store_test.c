#include "controller/store/store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

#define CELL_OF(name, vpn)                                                                         \
    "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: " name "}\nspec: {domain: " name             \
    ".cell, network: {vpn: " vpn "}}\n"
#define CELL CELL_OF("alpha", "10.10.0.0/24")
/* Keys that differ in their first letter. */
#define PEER(name, letter, extra)                                                                  \
    "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: " name "}\nspec: {publicKey: '" letter       \
    "ZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ='" extra "}\n"
#define AND "---\n"

/*
 * A script: what happens to files, and after each commit what came into force. A text of NULL is a
 * file that is gone; "record" puts the text into the record of an earlier run; "prune" releases
 * what is held; "unreadable" commits without knowing what is gone. expected: "+new ~changed -gone
 * =as recorded", and in brackets the state of every object that is not simply in force.
 */
struct line {
    const char *path, *text, *expected;
};

static const char *const state_names[] = {
    [OBJECT_STALE] = "stale", [OBJECT_CONFLICT] = "conflict", [OBJECT_HELD] = "held"};

static void describe(struct store *store, bool complete, struct strbuf *out)
{
    struct changes changes = {0};
    size_t count;
    store_commit(store, complete, &changes);
    for (size_t i = 0; i < changes.count; i++) {
        const struct change *c = &changes.list[i];
        char sign = c->applied ? '=' : !c->before ? '+' : !c->after ? '-' : '~';
        strbuf_printf(out, "%s%c%s", out->len ? " " : "", sign, change_resource(c)->name);
    }
    const struct object **objects = store_objects(store, &count);
    for (size_t i = 0; i < count; i++)
        if (objects[i]->state != OBJECT_IN_FORCE)
            strbuf_printf(out, "%s[%s %s%s]", out->len ? " " : "", strchr(objects[i]->id, '/') + 1,
                          state_names[objects[i]->state], objects[i]->force ? "" : ", off");
    free(objects);
    changes_clear(&changes);
}

static void play(const char *name, const char *cell, const struct line *lines)
{
    struct store *store = store_new(cell);
    for (const struct line *l = lines; l->path; l++) {
        struct strbuf is = STRBUF_INIT;
        if (strncmp(l->path, "record ", 7) == 0)
            store_record(store, manifest_parse(l->path + 7, l->text, strlen(l->text)));
        else if (strcmp(l->path, "prune") == 0)
            store_release(store);
        else if (strcmp(l->path, "unreadable") != 0 && !l->text)
            store_gone(store, l->path);
        else if (l->text)
            store_put(store, manifest_parse(l->path, l->text, strlen(l->text)));
        if (l->expected) {
            describe(store, strcmp(l->path, "unreadable") != 0, &is);
            cr_expect_str_eq(is.text, l->expected, "%s, line %zu: \"%s\", not \"%s\"", name,
                             (size_t)(l - lines) + 1, is.text, l->expected);
        }
        strbuf_clear(&is);
    }
    store_free(store);
}

#define SCRIPT(name, ...)                                                                          \
    {                                                                                              \
        name, NULL, (const struct line[])                                                          \
        {                                                                                          \
            __VA_ARGS__,                                                                           \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static const struct {
    const char *name, *cell;
    const struct line *lines;
} scripts[] = {
    SCRIPT("come, change, go", {"cell.yaml", CELL, NULL},
           {"a.yaml", PEER("a", "i", ""), "+alpha +a"},
           {"a.yaml", PEER("a", "i", ", internet: true"), ""}, {"a.yaml", PEER("a", "j", ""), "~a"},
           {"a.yaml", NULL, "-a"}),
    SCRIPT("no Cell: nothing comes into force", {"a.yaml", PEER("a", "i", ""), "[a stale, off]"},
           {"cell.yaml", CELL, "+alpha +a"}),
    SCRIPT("a broken document keeps its last good version, others load", {"cell.yaml", CELL, NULL},
           {"p.yaml", PEER("a", "i", "") AND PEER("b", "j", ""), "+alpha +a +b"},
           {"p.yaml", PEER("a", "i", ", bad: 1") AND PEER("b", "k", ""), "~b [a stale]"},
           {"p.yaml", PEER("a", "l", "") AND PEER("b", "k", ""), "~a"}),
    SCRIPT("a file that ends in a mistake keeps all that it defined", {"cell.yaml", CELL, NULL},
           {"p.yaml", PEER("a", "i", "") AND PEER("b", "j", ""), "+alpha +a +b"},
           {"p.yaml", PEER("a", "i", "") AND "\tx: y\n", "[b stale]"},
           {"p.yaml", PEER("a", "i", ""), "-b"}),
    SCRIPT(
        "a document that nobody can tell shields what the file defined", {"cell.yaml", CELL, NULL},
        {"p.yaml", PEER("a", "i", "") AND PEER("b", "j", ""), "+alpha +a +b"},
        {"p.yaml", PEER("a", "i", "") AND "kind: Peer\n", "[b stale]"}, {"p.yaml", NULL, "-a -b"}),
    SCRIPT("two peers with one key: the one in force stays", {"cell.yaml", CELL, NULL},
           {"b.yaml", PEER("b", "i", ""), "+alpha +b"},
           {"a.yaml", PEER("a", "i", ""), "[a conflict, off]"}, {"b.yaml", NULL, "+a -b"}),
    SCRIPT("two peers with one key at the start: the lower name", {"cell.yaml", CELL, NULL},
           {"z.yaml", PEER("a", "i", ""), NULL},
           {"a.yaml", PEER("b", "i", ""), "+alpha +a [b conflict, off]"}),
    SCRIPT("an edit into a conflict keeps the last good version", {"cell.yaml", CELL, NULL},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.5"), NULL},
           {"b.yaml", PEER("b", "j", ", address: 10.10.0.6"), "+alpha +a +b"},
           {"b.yaml", PEER("b", "j", ", address: 10.10.0.5"), "[b conflict]"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.7"), "~a ~b"}),
    SCRIPT("two exchange their addresses in one change", {"cell.yaml", CELL, NULL},
           {"p.yaml",
            PEER("a", "i", ", address: 10.10.0.5") AND PEER("b", "j", ", address: 10.10.0.6"),
            "+alpha +a +b"},
           {"p.yaml",
            PEER("a", "i", ", address: 10.10.0.6") AND PEER("b", "j", ", address: 10.10.0.5"),
            "~a ~b"}),
    SCRIPT("one prefix behind two peers", {"cell.yaml", CELL, NULL},
           {"p.yaml",
            PEER("a", "i", ", subnets: [10.9.0.0/24]")
                AND PEER("b", "j", ", subnets: [10.9.0.7/24]"),
            "+alpha +a [b conflict, off]"}),
    SCRIPT("nested prefixes are legal", {"cell.yaml", CELL, NULL},
           {"p.yaml",
            PEER("a", "i", ", subnets: [10.9.0.0/16]")
                AND PEER("b", "j", ", subnets: [10.9.7.0/24]"),
            "+alpha +a +b"}),
    SCRIPT("addresses that a peer cannot have", {"cell.yaml", CELL, "+alpha"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.1"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.0"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.255"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.230"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address: 10.11.0.5"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address6: 'fd00::5'"), "[a stale, off]"},
           {"a.yaml", PEER("a", "i", ", address: 10.10.0.223"), "+a"}),
    SCRIPT("the same kind and name twice: the one in force stays", {"cell.yaml", CELL, NULL},
           {"b.yaml", PEER("p", "i", ""), "+alpha +p"}, {"a.yaml", PEER("p", "j", ""), ""},
           {"b.yaml", NULL, "~p"}),
    SCRIPT("the same kind and name twice at the start: the lower file name",
           {"cell.yaml", CELL, NULL}, {"b.yaml", PEER("p", "i", ""), NULL},
           {"a.yaml", PEER("p", "j", ""), "+alpha +p"}, {"b.yaml", NULL, ""},
           {"a.yaml", NULL, "-p"}),
    SCRIPT("a resource that moves to another file is no change", {"cell.yaml", CELL, NULL},
           {"a.yaml", PEER("p", "i", ""), "+alpha +p"}, {"b.yaml", PEER("p", "i", ""), NULL},
           {"a.yaml", NULL, ""}),
    SCRIPT("the Cell gone: nothing is removed until a person says so", {"cell.yaml", CELL, NULL},
           {"a.yaml", PEER("a", "i", ""), "+alpha +a"}, {"a.yaml", NULL, NULL},
           {"cell.yaml", NULL, "[alpha held] [a held]"}, {"cell.yaml", CELL, "[a held]"},
           {"a.yaml", PEER("a", "i", ""), ""}),
    SCRIPT("prune lets go", {"cell.yaml", CELL, NULL}, {"a.yaml", PEER("a", "i", ""), "+alpha +a"},
           {"a.yaml", NULL, NULL}, {"cell.yaml", NULL, "[alpha held] [a held]"},
           {"prune", NULL, "-alpha -a"}),
    SCRIPT("many at once are held until each comes back or is let go", {"cell.yaml", CELL, NULL},
           {"p.yaml",
            PEER("a", "a", "") AND PEER("b", "b", "") AND PEER("c", "c", "") AND PEER("d", "d", "")
                AND PEER("e", "e", "") AND PEER("f", "f", "") AND PEER("g", "g", ""),
            "+alpha +a +b +c +d +e +f +g"},
           {"p.yaml", PEER("a", "a", ""), "[b held] [c held] [d held] [e held] [f held] [g held]"},
           {"q.yaml", PEER("b", "b", "") AND PEER("c", "c", ""),
            "[d held] [e held] [f held] [g held]"},
           {"prune", NULL, "-d -e -f -g"}),
    SCRIPT("five of seven are let go: the guard holds more than the minimum only",
           {"cell.yaml", CELL, NULL},
           {"p.yaml",
            PEER("a", "a", "") AND PEER("b", "b", "") AND PEER("c", "c", "") AND PEER("d", "d", "")
                AND PEER("e", "e", ""),
            "+alpha +a +b +c +d +e"},
           {"p.yaml", NULL, "-a -b -c -d -e"}),
    SCRIPT("a record of an earlier run: unchanged ones are known, gone ones go",
           {"record cell.yaml", CELL, NULL},
           {"record p.yaml", PEER("a", "i", "") AND PEER("b", "j", ""), NULL},
           {"cell.yaml", CELL, NULL}, {"p.yaml", PEER("a", "i", ""), "=alpha =a -b"}),
    SCRIPT("a record of an earlier run: a broken file keeps what it had",
           {"record cell.yaml", CELL, NULL}, {"record p.yaml", PEER("a", "i", ""), NULL},
           {"cell.yaml", CELL, NULL}, {"p.yaml", "\t", "=alpha =a [a stale]"}),
    SCRIPT("a record of an earlier run: who was in force wins a conflict",
           {"record cell.yaml", CELL, NULL}, {"record z.yaml", PEER("z", "i", ""), NULL},
           {"cell.yaml", CELL, NULL}, {"z.yaml", PEER("z", "i", ""), NULL},
           {"a.yaml", PEER("a", "i", ""), "=alpha =z [a conflict, off]"}),
    SCRIPT("a directory that cannot be read at the start: all that was recorded stays",
           {"record cell.yaml", CELL, NULL}, {"record p.yaml", PEER("a", "i", ""), NULL},
           {"unreadable", NULL, "=alpha =a [alpha stale] [a stale]"}, {"cell.yaml", CELL, "-a"}),
    SCRIPT("an emptied directory at the start: held", {"record cell.yaml", CELL, NULL},
           {"record p.yaml", PEER("a", "i", ""), NULL},
           {"other.yaml", "# nothing\n", "=alpha =a [alpha held] [a held]"}),
    SCRIPT("a second Cell never takes over", {"cell.yaml", CELL, "+alpha"},
           {"beta/cell.yaml", CELL_OF("beta", "10.20.0.0/24"), ""},
           {"beta/p.yaml", PEER("p", "i", ""), ""}, {"q.yaml", PEER("q", "j", ""), "+q"}),
    SCRIPT("another Cell in the place of the recorded one: a person lets go first",
           {"record cell.yaml", CELL, NULL}, {"record p.yaml", PEER("p", "i", ""), NULL},
           {"p.yaml", PEER("p", "i", ""), NULL},
           {"cell.yaml", CELL_OF("beta", "10.20.0.0/24"), "=alpha =p [alpha held]"},
           {"prune", NULL, "-alpha"}, {"again.yaml", "# nothing\n", "+beta"}),
    SCRIPT("two Cells and no name: nothing", {"a/cell.yaml", CELL, NULL},
           {"b/cell.yaml", CELL_OF("beta", "10.20.0.0/24"), ""}),
    SCRIPT(
        "a Cell that would put its peers out of force is refused", {"cell.yaml", CELL, NULL},
        {"p.yaml",
         PEER("a", "a", ", address: 10.10.0.2") AND PEER("b", "b", ", address: 10.10.0.3") AND PEER(
             "c", "c", ", address: 10.10.0.4") AND PEER("d", "d", ", address: 10.10.0.5")
             AND PEER("e", "e", ", address: 10.10.0.6") AND PEER("f", "f", ", address: 10.10.0.7"),
         "+alpha +a +b +c +d +e +f"},
        {"cell.yaml", CELL_OF("alpha", "10.99.0.0/24"), "[alpha stale]"}, {"cell.yaml", CELL, ""}),
    {"several cells in one tree: ours, what is common, and nothing of the other", "beta",
     (const struct line[]){{"alpha/cell.yaml", CELL, NULL},
                           {"beta/cell.yaml", CELL_OF("beta", "10.20.0.0/24"), NULL},
                           {"common.yaml", PEER("p", "i", "") AND PEER("q", "j", ""), NULL},
                           {"alpha/a.yaml", PEER("a", "k", ""), NULL},
                           {"beta/p.yaml", PEER("p", "l", ""), "+beta +p +q"},
                           {"beta/p.yaml", NULL, "~p"},
                           {0}}},
};

Test(store, scripts)
{
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        play(scripts[i].name, scripts[i].cell, scripts[i].lines);
}

static char *findings(struct store *store)
{
    struct strbuf out = STRBUF_INIT;
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(store, &diags);
    for (size_t i = 0; i < diags.count; i++)
        diag_print(&diags.list[i], &out);
    return strbuf_steal(&out);
}

/* Every finding stands on the resource that it belongs to, and names the other one. */
Test(store, findings)
{
    static const struct {
        const char *a, *b, *expected;
    } rows[] = {
        {PEER("a", "i", ""), PEER("b", "i", ""),
         "b.yaml:1:1: error: Peer/b: publicKey is already that of Peer/a (a.yaml:1); change one of "
         "the two\n"},
        {PEER("a", "i", ", address: 10.10.0.9"), PEER("b", "j", ", address: 10.10.0.9"),
         "b.yaml:1:1: error: Peer/b: address 10.10.0.9 is already that of Peer/a (a.yaml:1); "
         "change "
         "one of the two\n"},
        {PEER("a", "i", ""), PEER("a", "j", ""),
         "b.yaml:1:1: error: Peer/a: the same kind and name stands in a.yaml:1, which is in force; "
         "rename or remove one\n"},
        {PEER("a", "i", ", access: {host: true}"), "# nothing\n",
         "a.yaml:4:82: warning: Peer/a: access.host: has no effect while firewall.hostAccess of "
         "Cell/alpha is empty\n"},
        {CELL_OF("beta", "10.20.0.0/24"), "# nothing\n",
         "a.yaml:1:1: error: Cell/beta: lies in the directory of Cell/alpha: give each Cell a "
         "directory of its own\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct store *store = store_new("alpha");
        struct changes changes = {0};
        store_put(store, manifest_parse("cell.yaml", CELL, strlen(CELL)));
        store_put(store, manifest_parse("a.yaml", rows[i].a, strlen(rows[i].a)));
        store_put(store, manifest_parse("b.yaml", rows[i].b, strlen(rows[i].b)));
        store_commit(store, true, &changes);
        char *is = findings(store);
        cr_expect_str_eq(is, rows[i].expected, "row %zu: %s", i, is);
        free(is);
        changes_clear(&changes);
        store_free(store);
    }
}

/* An empty tree says what to do. */
Test(store, no_cell_is_told)
{
    struct store *store = store_new(NULL);
    struct changes changes = {0};
    store_commit(store, true, &changes);
    cr_assert_not_null(store_cell_problem(store));
    cr_expect(strstr(store_cell_problem(store), "picctl init"), "%s", store_cell_problem(store));
    store_free(store);
}

/* Four files in all 24 orders: the same result. */
Test(store, order_of_files_does_not_matter)
{
    static const char *const paths[] = {"a.yaml", "b.yaml", "c.yaml", "d.yaml"};
    static const char *const texts[] = {PEER("x", "i", ""), PEER("w", "i", ""), CELL,
                                        PEER("x", "k", "")};
    char *first = NULL;
    for (unsigned order = 0; order < 24; order++) {
        struct store *store = store_new(NULL);
        struct strbuf is = STRBUF_INIT;
        unsigned left = order, used = 0;
        for (unsigned n = 4; n > 0; n--) {
            unsigned pick = left % n, i = 0;
            left /= n;
            for (;; i++) {
                if (used >> i & 1)
                    continue;
                if (pick-- == 0)
                    break;
            }
            used |= 1u << i;
            store_put(store, manifest_parse(paths[i], texts[i], strlen(texts[i])));
        }
        describe(store, true, &is);
        char *text = strbuf_steal(&is);
        first = first ? first : mem_strdup(text);
        cr_expect_str_eq(text, first, "order %u", order);
        free(text);
        store_free(store);
    }
    free(first);
}
