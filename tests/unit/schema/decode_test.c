#include "schema/manifest.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/decode/node.h"

#define PEER "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: p}\nspec:\n"
#define KEY "  publicKey: iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=\n"
#define GOOD(name) "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: " name "}\nspec:\n" KEY

/* What is read from a text: the ids of good resources, '!' before those that are known to be wrong,
 * '?' for documents that cannot be told, '…' when the end is unknown; then every finding. */
static char *describe(const char *text, size_t len)
{
    struct manifest *m = manifest_parse("f.yaml", text, len);
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < m->count; i++)
        strbuf_printf(&out, "%s%s ",
                      m->entries[i].resource ? ""
                      : m->entries[i].id     ? "!"
                                             : "?",
                      m->entries[i].id ? m->entries[i].id : "");
    strbuf_puts(&out, m->complete ? "\n" : "…\n");
    for (size_t i = 0; i < m->diags.count; i++)
        diag_print(&m->diags.list[i], &out);
    manifest_free(m);
    return strbuf_steal(&out);
}

static const struct {
    const char *name, *text, *expected;
} rows[] = {
    {"a good peer", GOOD("p"), "Peer/p \n"},
    {"duplicate key", PEER KEY "  subnets: [10.1.0.0/24]\n  subnets: [10.2.0.0/24]\n",
     "? \nf.yaml:7:3: error: the key \"subnets\" stands here twice: first in line 6; remove one\n"},
    {"comment behind a separator", GOOD("a") "--- # phones\n" GOOD("b"), "Peer/a Peer/b \n"},
    {"junk behind a separator", GOOD("a") "--- junk\nx: y\n",
     "Peer/a …\nf.yaml:7:2: error: not valid YAML: mapping values are not allowed in this "
     "context\n"},
    {"empty last document", GOOD("a") "---\n\n", "Peer/a \n"},
    {"comments before and between", "# licence\n---\n" GOOD("a") "---\n# only\n---\n" GOOD("b"),
     "Peer/a Peer/b \n"},
    {"no is text", PEER KEY "  routeVia: no\n", "Peer/p \n"},
    {"no is no boolean", PEER KEY "  internet: no\n",
     "!Peer/p \nf.yaml:6:13: error: Peer/p: internet: \"no\" is not right: expected true or false, "
     "without quotes\n"},
    {"a quoted boolean is text", PEER KEY "  internet: \"true\"\n",
     "!Peer/p \nf.yaml:6:13: error: Peer/p: internet: expected true or false, without quotes\n"},
    {"numbers stay text", PEER KEY "  routeVia: 20190612073634\n", "Peer/p \n"},
    {"byte order mark", "\xef\xbb\xbf" GOOD("p"), "Peer/p \n"},
    {"UTF-16",
     "\xff\xfe"
     "a\0:\0 \0b\0",
     "…\nf.yaml:1:1: error: the file is in UTF-16: save it as UTF-8\n"},
    {"bad UTF-8 has a line", GOOD("p") "# \xff\n",
     "…\nf.yaml:6:1: error: not valid YAML text: invalid leading UTF-8 octet (byte 116)\n"},
    {"CRLF",
     "apiVersion: pic/v1\r\nkind: Peer\r\nmetadata: {name: p}\r\nspec:\r\n"
     "  publicKey: iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=\r\n",
     "Peer/p \n"},
    {"a tab", PEER "\tpublicKey: x\n",
     "…\nf.yaml:5:1: error: a tab indents this line: YAML allows spaces only\n"},
    {"an alias", "a: &x 1\nb: *x\n",
     "? \nf.yaml:2:4: error: an alias (*x) is not allowed: write the value out\n"},
    {"unterminated quote", "apiVersion: \"pic\n",
     "…\nf.yaml:2:1: error: not valid YAML: found unexpected end of stream (while scanning a "
     "quoted "
     "scalar that starts in line 1)\n"},
    {"unknown field", PEER KEY "  adress: 10.10.0.9\n",
     "!Peer/p \nf.yaml:6:3: error: Peer/p: unknown field \"adress\"; did you mean \"address\"?\n"},
    {"all errors, not the first", PEER "  publicKey: abc\n  address: 10.10.0.300\n  internet: 1\n",
     "!Peer/p \n"
     "f.yaml:5:14: error: Peer/p: publicKey: expected a WireGuard public key: 44 characters of "
     "base64, as `wg pubkey` prints it\n"
     "f.yaml:6:12: error: Peer/p: address: \"10.10.0.300\" is not right: expected an IPv4 address "
     "such as 10.10.0.34, without a prefix length\n"
     "f.yaml:7:13: error: Peer/p: internet: \"1\" is not right: expected true or false, without "
     "quotes\n"},
    {"required field", PEER "  internet: true\n",
     "!Peer/p \nf.yaml:5:3: error: Peer/p: publicKey is missing: the device's WireGuard public "
     "key; "
     "the private key stays on the device\n"},
    {"host bits", PEER KEY "  subnets: [10.2.0.1/24]\n",
     "Peer/p \nf.yaml:6:13: warning: Peer/p: subnets: 10.2.0.1/24 has host bits: taken as "
     "10.2.0.0/24\n"},
    {"unknown kind", "apiVersion: pic/v1\nkind: Pear\nmetadata: {name: x}\n",
     "? \nf.yaml:2:7: error: unknown kind \"Pear\"; did you mean Peer?\n"},
    {"a name that would leave its directory",
     "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: ../x}\nspec:\n" KEY,
     "? \nf.yaml:3:18: error: metadata.name: \"../x\" is not right: expected 1 to 63 of a-z 0-9 - "
     ". "
     ", first and last a letter or digit\n"},
    {"no apiVersion", "kind: Peer\nmetadata: {name: p}\nspec:\n" KEY,
     "!Peer/p \nf.yaml:1:1: error: Peer/p: apiVersion is missing: write apiVersion: pic/v1\n"},
    {"a secret in a manifest", PEER KEY "  presharedKey: c2VjcmV0\n",
     "!Peer/p \nf.yaml:6:17: error: Peer/p: presharedKey: expected {file: NAME}, a file in the "
     "secrets directory; a secret itself never stands in a manifest\n"},
    {"a secret's name that would leave its directory", PEER KEY "  presharedKey: {file: ../x}\n",
     "!Peer/p \nf.yaml:6:24: error: Peer/p: presharedKey: expected the name of a file below the "
     "secrets directory, without \"..\"\n"},
    {"what the server set is dropped",
     "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: p, generation: 4}\nspec:\n" KEY
     "status: {onDevice: true}\n",
     "Peer/p \n"},
    {"route via needs internet", PEER KEY "  routeVia: beta\n  internet: false\n",
     "!Peer/p \nf.yaml:6:13: error: Peer/p: routeVia: needs internet: true; remove one of the "
     "two\n"},
    {"a list that is none", "[a, b]\n",
     "? \nf.yaml:1:1: error: expected apiVersion, kind, metadata and spec\n"},
};

Test(decode, texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strcmp(rows[i].name, "UTF-16") == 0 ? 10 : strlen(rows[i].text);
        char *is = describe(rows[i].text, len);
        cr_expect_str_eq(is, rows[i].expected, "%s:\n%s", rows[i].name, is);
        free(is);
    }
}

/* Hostile sizes end early, with a finding, whatever the depth and width. */
Test(decode, limits, .timeout = 20)
{
    static const struct {
        const char *name, *unit;
        size_t times;
        const char *finding;
    } sizes[] = {
        {"flow lists", "[", 10000, "nested too deep"},
        {"flow maps", "{a: ", 10000, "nested too deep"},
        {"many keys", "k%zu: v\n", 200000, "more than 1024 keys"},
        {"one long text", "xxxxxxxxxxxxxxxx", 100000, "at most 1048576 are allowed"},
        {"a file too large", "# xxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 200000,
         "at most 4194304 are allowed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct strbuf text = STRBUF_INIT;
        bool numbered = strchr(sizes[i].unit, '%');
        for (size_t j = 0; j < sizes[i].times; j++) {
            if (numbered)
                strbuf_printf(&text, "k%zu: v\n", j);
            else
                strbuf_puts(&text, sizes[i].unit);
        }
        char *is = describe(text.text, text.len);
        cr_expect(strstr(is, sizes[i].finding), "%s: %.200s", sizes[i].name, is);
        cr_expect(strlen(is) < 500, "%s: one finding is enough", sizes[i].name);
        free(is);
        strbuf_clear(&text);
    }
}

Test(decode, block_depth)
{
    struct strbuf text = STRBUF_INIT;
    for (int i = 0; i < 10000 && text.len < YAML_FILE_MAX - 20000; i++)
        strbuf_printf(&text, "%*sa:\n", i, "");
    char *is = describe(text.text, text.len);
    cr_expect(strstr(is, "nested too deep"), "%.200s", is);
    free(is);
    strbuf_clear(&text);
}

Test(decode, equal_meanings_have_equal_hashes)
{
    static const char *const texts[] = {
        GOOD("p"),
        GOOD("p") "  subnets: []\n  presharedKey: null\n  routeVia: ~\n",
        "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: p, labels: {}}\nspec:\n" KEY
        "  internet: true\n  access: {peers: [\"*\"]}\n",
    };
    uint64_t first = 0;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct manifest *m = manifest_parse("f.yaml", texts[i], strlen(texts[i]));
        cr_assert_eq(m->count, 1);
        cr_assert_not_null(m->entries[0].resource);
        first = i ? first : m->entries[0].resource->hash;
        cr_expect_eq(m->entries[0].resource->hash, first, "text %zu", i);
        manifest_free(m);
    }
}

Test(decode, lines_of_documents)
{
    static const char text[] = "# top\n" GOOD("a") "# between\n---\n" GOOD("b");
    struct manifest *m = manifest_parse("f.yaml", text, strlen(text));
    size_t offset, length;
    cr_assert_eq(m->count, 2);
    manifest_lines(text, strlen(text), m->entries[1].first_line, m->entries[1].end_line, &offset,
                   &length);
    cr_expect_eq(strncmp(text + offset, "---\napiVersion", 14), 0, "%s", text + offset);
    cr_expect_eq(offset + length, strlen(text));
    manifest_free(m);
}

Test(decode, names_that_are_read)
{
    static const struct {
        const char *name;
        bool read;
    } names[] = {
        {"a.yaml", true},       {"a.yml", true},    {"a.json", true},    {"cell.yaml-bak", false},
        {"a.yaml.orig", false}, {"a.yaml~", false}, {"#a.yaml#", false}, {".a.yaml", false},
        {".yaml", false},       {"yaml", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        cr_expect_eq(manifest_name_read(names[i].name), names[i].read, "%s", names[i].name);
}
