/*
 * What other people's chains drop of ours. Rulesets are read from the fake side.
 */
#include "reconcilers/firewall/foreign.h"

#include <criterion/criterion.h>
#include <string.h>

#include "reconcilers/model/model.h"
#include "schema/base/mem.h"
#include "schema/base/strbuf.h"
#include "tests/unit/reconcilers/ruleset.h"

#define FAKE_AUTO __attribute__((cleanup(close_fake))) struct sys *
#define RULESET_AUTO __attribute__((cleanup(nft_ruleset_clear))) struct nft_ruleset

static void close_fake(struct sys **sys)
{
    sys_close(*sys);
}

/* ---- packets --------------------------------------------------------------------------------- */

enum sample {
    OUT,     /* a peer to the internet */
    OUT6,    /* the same with IPv6 */
    WEB,     /* a peer to a container, whose port is known */
    TUNNEL,  /* from the internet to WireGuard */
    ANYHOW,  /* the same, by whatever interface */
    DNS,     /* a peer asks us */
    SAMPLES, /* none */
};

static struct foreign_packet packet_of(enum sample sample)
{
    static const struct {
        struct foreign_packet packet;
        const char *source, *destination;
    } samples[] = {
        [OUT] = {{.hook = NFT_HOOK_FORWARD,
                  .in = "pic0",
                  .out = "eth0",
                  .mark = MARK_DIRECT | MARK_ACCEPTED},
                 "10.10.0.34",
                 "203.0.113.80"},
        [OUT6] = {{.hook = NFT_HOOK_FORWARD,
                   .in = "pic0",
                   .out = "eth0",
                   .mark = MARK_DIRECT | MARK_ACCEPTED},
                  "fd00::34",
                  "2001:db8::80"},
        [WEB] = {{.hook = NFT_HOOK_FORWARD,
                  .in = "pic0",
                  .out = "br-cell",
                  .protocol = IPPROTO_TCP,
                  .port = 5232,
                  .translated = true,
                  .mark = MARK_DIRECT | MARK_ACCEPTED},
                 "10.10.0.34",
                 "172.20.0.7"},
        [TUNNEL] = {{.hook = NFT_HOOK_INPUT,
                     .in = "eth0",
                     .protocol = IPPROTO_UDP,
                     .port = 51820,
                     .harm = "WireGuard cannot be reached"},
                    NULL,
                    "198.51.100.2"},
        [ANYHOW] = {{.hook = NFT_HOOK_INPUT,
                     .protocol = IPPROTO_UDP,
                     .port = 51820,
                     .harm = "WireGuard cannot be reached"},
                    NULL,
                    "198.51.100.2"},
        [DNS] = {{.hook = NFT_HOOK_INPUT,
                  .in = "pic0",
                  .protocol = IPPROTO_UDP,
                  .port = 53,
                  .mark = MARK_DIRECT | MARK_ACCEPTED},
                 "10.10.0.34",
                 "10.10.0.1"},
    };
    struct foreign_packet packet = samples[sample].packet;
    if (samples[sample].source)
        cr_assert_eq(ip_parse(samples[sample].source, &packet.source), 0);
    cr_assert_eq(ip_parse(samples[sample].destination, &packet.destination), 0);
    return packet;
}

static void add_words(const struct foreign_finding *finding, void *context)
{
    foreign_say(finding, context);
    strbuf_putc(context, '\n');
}

static void read_all(const char *text, struct nft_ruleset *ret)
{
    FAKE_AUTO sys = sys_fake_new();
    ERROR_AUTO error = NULL;
    ruleset_put(sys, text);
    cr_assert_eq(sys_nft_read(sys, NULL, ret, &error), 0);
}

/* ---- in words -------------------------------------------------------------------------------- */

#define DOCKER                                                                                     \
    "chain ip filter FORWARD forward 0 drop\n"                                                     \
    "counter jump DOCKER-USER\n"                                                                   \
    "counter jump DOCKER-FORWARD\n"                                                                \
    "chain ip filter DOCKER-FORWARD\n"                                                             \
    "oifname docker0 other accept\n"                                                               \
    "iifname docker0 accept\n"                                                                     \
    "chain ip filter DOCKER-USER\n"
#define FIREWALLD                                                                                  \
    "chain inet firewalld filter_FORWARD forward 10 accept\n"                                      \
    "state established accept\n"                                                                   \
    "dnat accept\n"                                                                                \
    "iifname lo accept\n"                                                                          \
    "jump filter_FORWARD_POLICIES\n"                                                               \
    "reject\n"                                                                                     \
    "chain inet firewalld filter_FORWARD_POLICIES\n"                                               \
    "iifname eth0 goto fwd_public\n"                                                               \
    "chain inet firewalld fwd_public\n"                                                            \
    "accept\n"

Test(foreign, in_words)
{
    static const struct {
        const char *name, *ruleset;
        enum sample packets[3];
        const char *words;
    } rows[] = {
        {"nothing", "", {OUT, OUT6, TUNNEL}, ""},
        {"docker",
         DOCKER,
         {OUT, OUT6, WEB},
         "chain FORWARD of table ip filter drops what is forwarded from pic0 to eth0 (policy "
         "drop): add an accept rule for it, or for mark 0x40000000/0x40000000\n"
         "chain FORWARD of table ip filter drops tcp port 5232 forwarded from pic0 to br-cell "
         "(policy drop): add an accept rule for it, or for mark 0x40000000/0x40000000\n"},
        {"docker with our rule",
         DOCKER "mark 0x40000000/0x40000000 accept\n",
         {OUT, OUT6, WEB},
         ""},
        {"firewalld",
         FIREWALLD,
         {OUT, OUT6, WEB}, /* the first two in the same words */
         "chain filter_FORWARD of table inet firewalld drops what is forwarded from pic0 to eth0 "
         "(rule 5): add an accept rule for it before it, or for mark 0x40000000/0x40000000\n"},
        {"a rule of a chain that is called",
         "chain inet filter input input 0 accept\n"
         "state established accept\n"
         "iifname lo accept\n"
         "jump public\n"
         "chain inet filter public\n"
         "tcp dport 22 accept\n"
         "drop\n",
         {TUNNEL, DNS, SAMPLES},
         "chain public of table inet filter drops udp port 51820 from eth0 (rule 2): WireGuard "
         "cannot "
         "be reached; add \"iifname eth0 udp dport 51820 accept\" before it\n"
         "chain public of table inet filter drops udp port 53 from pic0 (rule 2): add \"iifname "
         "pic0 udp dport 53 accept\" before it\n"},
        {"a policy at input",
         "chain ip filter INPUT input 0 drop\nudp dport 51821 accept\n",
         {ANYHOW, OUT, SAMPLES},
         "chain INPUT of table ip filter drops udp port 51820 (policy drop): WireGuard cannot be "
         "reached; add \"udp dport 51820 accept\"\n"},
        {"before our chains the mark does not help",
         "chain inet early forward forward -150 drop\n",
         {OUT, SAMPLES, SAMPLES},
         "chain forward of table inet early drops what is forwarded from pic0 to eth0 (policy "
         "drop): add an accept rule for it\n"},
        {"every chain that drops",
         "chain inet late forward forward 20 drop\n"
         "chain ip filter FORWARD forward 0 accept\ndrop\n",
         {OUT, SAMPLES, SAMPLES},
         "chain FORWARD of table ip filter drops what is forwarded from pic0 to eth0 (rule 1): "
         "add an accept rule for it before it, or for mark 0x40000000/0x40000000\n"
         "chain forward of table inet late drops what is forwarded from pic0 to eth0 (policy "
         "drop): add an accept rule for it, or for mark 0x40000000/0x40000000\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO words = STRBUF_INIT;
        RULESET_AUTO all = {0};
        struct foreign_packet packets[3];
        size_t count = 0;
        read_all(rows[i].ruleset, &all);
        while (count < 3 && rows[i].packets[count] != SAMPLES) {
            packets[count] = packet_of(rows[i].packets[count]);
            count++;
        }
        foreign_find(&all, packets, count, add_words, &words);
        cr_expect_str_eq(words.text, rows[i].words, "%s:\n%s", rows[i].name, words.text);
    }
}

/* ---- which rule ------------------------------------------------------------------------------ */

struct hit {
    size_t findings;
    char chain[NFT_NAME_SIZE];
    size_t number;
    uint64_t handle;
};

static void note_hit(const struct foreign_finding *finding, void *context)
{
    struct hit *hit = context;
    hit->findings++;
    memcpy(hit->chain, finding->chain->name, sizeof(hit->chain));
    hit->number = finding->number;
    hit->handle = finding->handle;
}

/* `chain` NULL: no finding; number 0: its policy. */
struct row {
    const char *ruleset;
    enum sample packet;
    const char *chain;
    size_t number;
};

static void expect_hits(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hit hit = {0};
        RULESET_AUTO all = {0};
        struct foreign_packet packet = packet_of(rows[i].packet);
        read_all(rows[i].ruleset, &all);
        foreign_find(&all, &packet, 1, note_hit, &hit);
        cr_expect_eq(hit.findings, rows[i].chain ? 1 : 0, "row %zu: %zu findings", i, hit.findings);
        if (!rows[i].chain || !hit.findings)
            continue;
        const struct nft_chain *chain = nft_find_chain(&all, hit.chain);
        cr_expect_str_eq(hit.chain, rows[i].chain, "row %zu", i);
        cr_expect_eq(hit.number, rows[i].number, "row %zu: rule %zu", i, hit.number);
        cr_expect_eq(hit.handle, hit.number ? chain->rules[hit.number - 1].handle : 0);
    }
}

#define FORWARD(policy) "chain inet t forward forward 0 " policy "\n"
#define INPUT(policy) "chain inet t input input 0 " policy "\n"
#define CALLED "chain inet t x\n"

Test(foreign, chains_that_count)
{
    static const struct row rows[] = {
        {FORWARD("drop"), OUT, "forward", 0},
        {FORWARD("drop"), OUT6, "forward", 0},
        {FORWARD("drop"), TUNNEL, NULL, 0},
        {INPUT("drop"), TUNNEL, "input", 0},
        {INPUT("drop"), OUT, NULL, 0},
        {"chain ip t forward forward 0 drop\n", OUT6, NULL, 0},
        {"chain ip6 t forward forward 0 drop\n", OUT6, "forward", 0},
        {"chain ip6 t forward forward 0 drop\n", OUT, NULL, 0},
        {"chain bridge t forward forward 0 drop\n", OUT, NULL, 0},
        {"chain ip t input input 0 drop nat\n", TUNNEL, NULL, 0},
        {"chain inet pic forward forward -1 drop\n", OUT, NULL, 0},
        {"chain ip pic forward forward 0 drop\n", OUT, "forward", 0},
        {"chain inet t output output 0 drop\n", OUT, NULL, 0},
        {"chain inet t prerouting prerouting 0 drop\n", OUT, NULL, 0},
        {CALLED "drop\n", OUT, NULL, 0}, /* nobody calls it */
    };
    expect_hits(rows, ARRAY_SIZE(rows));
}

Test(foreign, conditions)
{
    static const struct row rows[] = {
        {FORWARD("accept") "iifname pic0 drop\n", OUT, "forward", 1},
        {FORWARD("accept") "iifname pic drop\n", OUT, NULL, 0},
        {FORWARD("accept") "iifname pic* drop\n", OUT, "forward", 1},
        {FORWARD("accept") "oifname eth1 drop\noifname eth0 drop\n", OUT, "forward", 2},
        {INPUT("accept") "oifname eth0 drop\n", TUNNEL, NULL, 0},
        {INPUT("drop") "iifname lo accept\n", TUNNEL, "input", 0},
        {INPUT("drop") "iifname lo accept\n", ANYHOW, NULL, 0}, /* perhaps */
        {INPUT("accept") "iifname eth0 drop\n", ANYHOW, NULL, 0},
        {INPUT("accept") "iifname eth0 drop\n", TUNNEL, "input", 1},
        {FORWARD("accept") "saddr 10.10.0.0/24 drop\n", OUT, "forward", 1},
        {FORWARD("accept") "saddr 10.10.0.0/27 drop\n", OUT, NULL, 0},
        {FORWARD("accept") "saddr fd00::/64 drop\n", OUT, NULL, 0},
        {FORWARD("accept") "saddr fd00::/64 daddr 2001:db8::80 drop\n", OUT6, "forward", 1},
        {FORWARD("accept") "daddr 203.0.113.80/31 drop\n", OUT, "forward", 1},
        {FORWARD("accept") "daddr 203.0.113.81 drop\n", OUT, NULL, 0},
        {INPUT("accept") "saddr 192.0.2.0/24 drop\n", TUNNEL, NULL, 0}, /* from anywhere */
        {INPUT("accept") "saddr 0.0.0.0/0 drop\n", TUNNEL, "input", 1},
        {INPUT("drop") "udp dport 51820 accept\n", TUNNEL, NULL, 0},
        {INPUT("drop") "udp dport 51821 accept\n", TUNNEL, "input", 0},
        {INPUT("drop") "tcp dport 51820 accept\n", TUNNEL, "input", 0},
        {INPUT("drop") "udp dport 1024-65535 accept\n", TUNNEL, NULL, 0},
        {INPUT("drop") "udp dport 51820-51820 accept\n", TUNNEL, NULL, 0},
        {INPUT("drop") "udp dport 51821-65535 accept\n", TUNNEL, "input", 0},
        {INPUT("drop") "udp dport 1-51819 accept\n", TUNNEL, "input", 0},
        {INPUT("accept") "proto 17 drop\n", TUNNEL, "input", 1},
        {INPUT("accept") "proto 6 drop\n", TUNNEL, NULL, 0},
        {FORWARD("accept") "proto 6 drop\n", OUT, NULL, 0}, /* any protocol */
        {FORWARD("accept") "tcp dport 443 drop\n", OUT, NULL, 0},
        {FORWARD("drop") "tcp dport 443 accept\n", OUT, NULL, 0}, /* perhaps */
        {FORWARD("accept") "state new drop\n", OUT, "forward", 1},
        {FORWARD("accept") "state established drop\n", OUT, NULL, 0},
        {FORWARD("drop") "state established accept\n", OUT, "forward", 0},
        {FORWARD("drop") "dnat accept\n", OUT, "forward", 0},
        {FORWARD("drop") "dnat accept\n", WEB, NULL, 0},
        {INPUT("drop") "byte 0 accept\n", TUNNEL, NULL, 0}, /* its source port */
        {INPUT("accept") "byte 0 drop\n", TUNNEL, NULL, 0},
        {INPUT("drop") "counter other accept\n", TUNNEL, NULL, 0},
        {INPUT("accept") "other drop\n", TUNNEL, NULL, 0},
        {INPUT("drop") "@lan accept\nset inet t lan\n", TUNNEL, NULL, 0},
        {INPUT("accept") "@lan drop\nset inet t lan\n", TUNNEL, NULL, 0},
        {INPUT("drop") "vmap v\nset inet t v map\n", TUNNEL, NULL, 0},
        {INPUT("drop") "other proto 6 accept\n", TUNNEL, "input", 0}, /* certainly not */
        {INPUT("drop") "counter\ncontinue\nother\n", TUNNEL, "input", 0},
    };
    expect_hits(rows, ARRAY_SIZE(rows));
}

Test(foreign, ways)
{
    static const struct row rows[] = {
        {FORWARD("accept") "reject\n", OUT, "forward", 1},
        {FORWARD("drop") "accept\ndrop\n", OUT, NULL, 0},
        {FORWARD("drop") "queue\n", OUT, NULL, 0},
        {FORWARD("drop") "return\naccept\n", OUT, "forward", 0},
        {FORWARD("accept") "return\ndrop\n", OUT, NULL, 0},
        {FORWARD("drop") "jump x\n" CALLED, OUT, "forward", 0},
        {FORWARD("drop") "jump x\n" CALLED "accept\n", OUT, NULL, 0},
        {FORWARD("accept") "jump x\n" CALLED "drop\n", OUT, "x", 1},
        {FORWARD("accept") "jump x\n" CALLED "return\ndrop\n", OUT, NULL, 0},
        {FORWARD("accept") "jump x\ndrop\n" CALLED "return\n", OUT, "forward", 2},
        {FORWARD("accept") "goto x\ndrop\n" CALLED "return\n", OUT, NULL, 0},
        {FORWARD("drop") "goto x\naccept\n" CALLED, OUT, "forward", 0},
        {FORWARD("accept") "goto x\n" CALLED "iifname pic0 drop\n", OUT, "x", 1},
        {FORWARD("accept") "jump x\ndrop\n" CALLED "goto y\naccept\nchain inet t y\n", OUT,
         "forward", 2},
        {"chain ip6 t x\naccept\n" FORWARD("drop") "jump x\n" CALLED, OUT, "forward", 0},
        /* Perhaps called. */
        {FORWARD("drop") "other jump x\n" CALLED "accept\n", OUT, NULL, 0},
        {FORWARD("drop") "other jump x\n" CALLED "iifname lo accept\n", OUT, "forward", 0},
        {FORWARD("drop") "other jump x\n" CALLED "drop\n", OUT, "forward", 0},
        {FORWARD("accept") "other jump x\n" CALLED "drop\n", OUT, NULL, 0},
        {FORWARD("drop") "other goto x\n" CALLED "drop\n", OUT, "forward", 0},
        {FORWARD("drop") "other goto x\naccept\n" CALLED, OUT, NULL, 0},
        {FORWARD("accept") "other goto x\ndrop\n" CALLED, OUT, NULL, 0},
        {FORWARD("accept") "jump x\ndrop\n" CALLED "other drop\n", OUT, "forward", 2},
        /* Perhaps left. */
        {FORWARD("accept") "other return\ndrop\n", OUT, NULL, 0},
        {FORWARD("drop") "other return\ndrop\n", OUT, "forward", 0},
        {FORWARD("drop") "other return\naccept\n", OUT, NULL, 0},
        {FORWARD("drop") "jump x\n" CALLED "other return\ndrop\n", OUT, "forward", 0},
        {FORWARD("drop") "jump x\naccept\n" CALLED "other return\ndrop\n", OUT, NULL, 0},
        {FORWARD("accept") "jump x\ndrop\n" CALLED "other return\nother accept\n", OUT, NULL, 0},
        /* Perhaps dropped, and else for certain. */
        {FORWARD("drop") "other drop\n", OUT, "forward", 0},
        {FORWARD("accept") "other drop\niifname pic0 drop\n", OUT, "forward", 2},
        {FORWARD("accept") "other accept\ndrop\n", OUT, NULL, 0},
        /* What is perhaps accepted here goes on to the next chain. */
        {FORWARD("drop") "other accept\nchain ip u later forward 5 drop\n", OUT, "later", 0},
    };
    expect_hits(rows, ARRAY_SIZE(rows));
}

Test(foreign, marks)
{
    static const struct row rows[] = {
        {FORWARD("drop") "mark 0x40000000/0x40000000 accept\n", OUT, NULL, 0},
        {FORWARD("drop") "mark 0x3e000000/0x3f000000 accept\n", OUT, NULL, 0},
        {FORWARD("drop") "mark 0x3f000000/0x3f000000 accept\n", OUT, "forward", 0},
        {FORWARD("drop") "mark 0x0000ca6c/0x0000ffff accept\n", OUT, NULL, 0}, /* perhaps */
        {FORWARD("accept") "mark !0x40000000/0x40000000 drop\n", OUT, NULL, 0},
        {INPUT("drop") "mark 0x40000000/0x40000000 accept\n", TUNNEL, "input", 0},
        /* Not accepted yet. */
        {"chain inet t forward forward -2 drop\nmark 0x40000000/0x40000000 accept\n", OUT,
         "forward", 0},
        {"chain inet t forward forward -1 drop\nmark 0x40000000/0x40000000 accept\n", OUT, NULL, 0},
        /* Somebody sets it. */
        {FORWARD("drop") "setmark 7\nmark 7/0xffffffff accept\n", OUT, NULL, 0},
        {FORWARD("drop") "setmark 7\nmark 0x40000000/0x40000000 accept\n", OUT, "forward", 0},
        {FORWARD("drop") "iifname lo setmark 7\nmark 7/0xff000007 accept\n", OUT, "forward", 0},
        {FORWARD("accept") "other setmark 0x7e000000\nmark 0x40000000/0x40000000 drop\n", OUT,
         "forward", 2}, /* either way */
        {FORWARD("accept") "other setmark 7\nmark 0x40000000/0x40000000 drop\n", OUT, NULL, 0},
        {FORWARD("accept") "other jump x\nmark 7/0xff000007 drop\n" CALLED "setmark 7\n", OUT, NULL,
         0},
        {FORWARD("accept") "jump x\nmark 7/0xff000007 drop\n" CALLED "setmark 7\n", OUT, "forward",
         2},
        {FORWARD("accept") "jump x\nmark 7/0xff000007 drop\n" CALLED "other return\nsetmark 7\n",
         OUT, NULL, 0},
        {"chain inet early forward forward -9 accept\nother accept\nsetmark 7\n" FORWARD(
             "accept") "mark 0x7e000000/0x7f000000 drop\n",
         OUT, "forward", 1}, /* ours again, by our table */
        {"chain inet first forward forward 0 accept\nother accept\nsetmark 7\n"
         "chain inet t forward forward 1 accept\nmark 0x7e000000/0x7f000000 drop\n",
         OUT, NULL, 0},
    };
    expect_hits(rows, ARRAY_SIZE(rows));
}

/* ---- what no kernel would have --------------------------------------------------------------- */

Test(foreign, calls_end)
{
    struct nft_instr jump = {.op = NFT_OP_VERDICT, .key = VERDICT_JUMP, .name = "loop"};
    struct nft_instr lost = {.op = NFT_OP_VERDICT, .key = VERDICT_JUMP, .name = "nowhere"};
    struct nft_rule rules[] = {{.instrs = &jump, .count = 1}, {.instrs = &jump, .count = 1}};
    struct nft_chain chains[] = {
        {.family = NFT_FAMILY_INET,
         .table = "t",
         .name = "forward",
         .hook = NFT_HOOK_FORWARD,
         .policy_drop = true,
         .rules = rules,
         .rule_count = 2},
        {.family = NFT_FAMILY_INET, .table = "t", .name = "loop", .rules = rules, .rule_count = 2},
    };
    const struct nft_ruleset all = {.chains = chains, .chain_count = 2};
    struct foreign_packet packet = packet_of(OUT);
    struct hit hit = {0};
    foreign_find(&all, &packet, 1, note_hit, &hit);
    cr_expect_eq(hit.findings, 0, "a loop");
    rules[0].instrs = &lost;
    foreign_find(&all, &packet, 1, note_hit, &hit);
    cr_expect_eq(hit.findings, 0, "a chain that is not there");
}

/* Each chain calls the next one eight times: without a bound that would be 8^14 rules. */
Test(foreign, work_ends, .timeout = 10)
{
    enum { CHAINS = 15, CALLS = 8 };
    struct nft_instr calls[CHAINS];
    struct nft_rule rules[CHAINS][CALLS];
    struct nft_chain chains[CHAINS];
    for (size_t i = 0; i < CHAINS; i++) {
        calls[i] = (struct nft_instr){.op = NFT_OP_VERDICT, .key = VERDICT_JUMP};
        snprintf(calls[i].name, sizeof(calls[i].name), "c%zu", i + 1);
        for (size_t j = 0; j < CALLS; j++)
            rules[i][j] = (struct nft_rule){.instrs = &calls[i], .count = i + 1 < CHAINS};
        chains[i] = (struct nft_chain){
            .family = NFT_FAMILY_INET, .table = "t", .rules = rules[i], .rule_count = CALLS};
        snprintf(chains[i].name, sizeof(chains[i].name), "c%zu", i);
    }
    for (size_t i = 0; i < 2; i++) { /* the second begins when the bound is reached */
        chains[i].hook = NFT_HOOK_FORWARD;
        chains[i].policy_drop = true;
    }
    const struct nft_ruleset all = {.chains = chains, .chain_count = CHAINS};
    struct foreign_packet packet = packet_of(OUT);
    struct hit hit = {0};
    foreign_find(&all, &packet, 1, note_hit, &hit);
    cr_expect_eq(hit.findings, 0);
}
