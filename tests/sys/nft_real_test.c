/*
 * nftables on the real kernel, with nft(8) as a second opinion.
 */
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"
#include "tests/sys/nft_hands.h"
#include "tests/sys/real_hands.h"

/* nft(8) with one command in its language. */
static void nft(const char *command)
{
    STRBUF_AUTO out = STRBUF_INIT;
    output_of((const char *[]){"nft", command, NULL}, &out);
}

/* ---- rules ----------------------------------------------------------------------------------- */

enum { SAMPLE_INSTRS = 9, SAMPLES_MAX = 24 };

struct sample {
    const char *text; /* as nft(8) prints it */
    struct nft_instr instrs[SAMPLE_INSTRS];
};

static size_t length_of(const struct sample *sample)
{
    static const struct nft_instr none;
    size_t count = 0;
    while (count < SAMPLE_INSTRS && memcmp(&sample->instrs[count], &none, sizeof(none)) != 0)
        count++;
    return count;
}

enum { SOURCE4 = 12, DESTINATION4 = 16, DESTINATION6 = 24 };

static struct nft_instr ipv4(void)
{
    return in_byte(1, NFT_EQUAL, 2);
}

static struct nft_instr ipv6(void)
{
    return in_byte(1, NFT_EQUAL, 10);
}

static void add_sets(struct sys *sys)
{
    NFT_SET_AUTO links = set_of("links", NFT_TYPE_IFNAME, NFT_TYPE_NONE);
    NFT_SET_AUTO tun4 = set_of("tun4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO link_net4 = set_of("link_net4", NFT_TYPE_IFNAME, NFT_TYPE_IPV4);
    NFT_SET_AUTO exit_out = set_of("exit_out", NFT_TYPE_MARK, NFT_TYPE_IFNAME);
    NFT_SET_AUTO peer_exit4 = set_of("peer_exit4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO source4 = set_of("source4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO vip4 = set_of("vip4", NFT_TYPE_IPV4, NFT_TYPE_PROTO);
    struct nft_chain x = chain_of("x");
    tun4.interval = link_net4.interval = true;
    peer_exit4.data[0] = NFT_TYPE_VERDICT;
    source4.data[0] = NFT_TYPE_IPV4;
    vip4.key[2] = vip4.data[1] = NFT_TYPE_PORT;
    vip4.data[0] = NFT_TYPE_IPV4;
    set_add(&links, "pl-beta");
    set_add(&tun4, "10.10.0.0 10.10.0.255");
    set_add(&link_net4, "pl-beta 10.20.0.0 pl-beta 10.20.0.255");
    set_add(&exit_out, "0x01000000 pl-beta");
    set_add(&peer_exit4, "10.10.0.34 goto x");
    set_add(&source4, "10.10.0.34 10.10.0.1");
    set_add(&vip4, "10.10.0.226 6 443 172.20.0.7 5232");
    const struct nft_set *sets[] = {&links,      &tun4,    &link_net4, &exit_out,
                                    &peer_exit4, &source4, &vip4};
    struct nft_change changes[2 + 2 * ARRAY_SIZE(sets)] = {of_table(NFT_TABLE_ADD),
                                                           of_chain(NFT_CHAIN_ADD, &x)};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        changes[2 + i] = of_set(NFT_SET_ADD, sets[i]);
        changes[2 + ARRAY_SIZE(sets) + i] = of_set(NFT_ELEMENTS_ADD, sets[i]);
    }
    CHECK(sys_nft_commit(sys, changes, ARRAY_SIZE(changes), &error), 0);
    NFT_RULESET_AUTO ruleset = {0};
    table_read(sys, &ruleset);
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        assert_same_set(&ruleset, sets[i]);
}

/* Appends the samples to one chain; reads them back twice; nft(8) must print the same. */
static void try_samples(struct sys *sys, const struct nft_chain *chain,
                        const struct sample *samples, size_t count)
{
    struct nft_rule rules[SAMPLES_MAX];
    struct nft_change changes[SAMPLES_MAX + 1];
    STRBUF_AUTO out = STRBUF_INIT;
    changes[0] = of_chain(NFT_CHAIN_ADD, chain);
    for (size_t i = 0; i < count; i++) {
        rules[i] = (struct nft_rule){.instrs = (struct nft_instr *)samples[i].instrs,
                                     .count = length_of(&samples[i])};
        changes[i + 1] = of_rule(NFT_RULE_APPEND, chain, &rules[i]);
    }
    CHECK(sys_nft_commit(sys, changes, count + 1, &error), 0);
    for (unsigned time = 0; time < 2; time++) {
        NFT_RULESET_AUTO ruleset = {0};
        table_read(sys, &ruleset);
        const struct nft_chain *live = nft_find_chain(&ruleset, chain->name);
        cr_assert(live && live->rule_count == count);
        cr_assert(live->hook == chain->hook && live->type == chain->type &&
                  live->priority == chain->priority && live->policy_drop == chain->policy_drop);
        for (size_t i = 0; i < count; i++)
            assert_same_rule(&live->rules[i], samples[i].instrs, length_of(&samples[i]),
                             samples[i].text);
    }
    output_of((const char *[]){"nft", "list", "chain", "inet", "pic", chain->name, NULL}, &out);
    const char *at = out.text;
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, samples[i].text);
        cr_assert(at, "\"%s\" is not, or not in order, in\n%s", samples[i].text, out.text);
    }
}

ON_REAL_SIDE(nft_real, filter_rules)
{
    struct nft_chain chain = chain_of("forward");
    chain.hook = NFT_HOOK_FORWARD;
    chain.priority = -1;
    struct nft_instr hton = {.op = NFT_OP_HTON, .reg = 1, .source = 1, .len = 2};
    struct nft_instr mss = {.op = NFT_OP_RT_LOAD, .reg = 1, .key = RT_TCPMSS};
    struct nft_instr clamp = {
        .op = NFT_OP_TCP_OPTION_SET, .reg = 1, .key = 2, .offset = 2, .len = 2};
    struct nft_instr flags = {.op = NFT_OP_BITWISE, .reg = 1, .source = 1, .len = 1, .mask = {2}};
    struct sample samples[] = {
        {"iifname @links goto x", {in_load(1, META_IIFNAME), in_set(1, "links"), in_go("x")}},
        {"oifname \"pic0\" goto x",
         {in_load(1, META_OIFNAME), in_name(1, NFT_EQUAL, "pic0"), in_go("x")}},
        {"oifname != \"pic0\" drop",
         {in_load(1, META_OIFNAME), in_name(1, NFT_NOT_EQUAL, "pic0"), in_verdict(VERDICT_DROP)}},
        {"meta mark set meta mark & 0xfeffffff | 0x3e000000",
         {in_load(1, META_MARK), in_bits(1, 0xc0ffffff, 0x3e000000), in_store(META_MARK, 1)}},
        {"meta mark set meta mark | 0x40000000",
         {in_load(1, META_MARK), in_bits(1, 0xbfffffff, 0x40000000), in_store(META_MARK, 1)}},
        {"meta mark & 0x3f000000 != 0x3e000000 goto x",
         {in_load(1, META_MARK), in_bits(1, 0x3f000000, 0), in_word(1, NFT_NOT_EQUAL, 0x3e000000),
          in_go("x")}},
        {"ct state established,related accept",
         {in_ct(1, CT_STATE, NFT_DIRECTION_NONE),
          in_bits(1, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED, 0), in_word(1, NFT_NOT_EQUAL, 0),
          in_verdict(VERDICT_ACCEPT)}},
        {"ct state invalid drop",
         {in_ct(1, CT_STATE, NFT_DIRECTION_NONE), in_bits(1, NFT_STATE_INVALID, 0),
          in_word(1, NFT_NOT_EQUAL, 0), in_verdict(VERDICT_DROP)}},
        {"ct status dnat return",
         {in_ct(1, CT_STATUS, NFT_DIRECTION_NONE), in_bits(1, NFT_STATUS_DNAT, 0),
          in_word(1, NFT_NOT_EQUAL, 0), in_verdict(VERDICT_RETURN)}},
        {"ct direction reply ct original ip saddr @tun4 goto x",
         {in_ct(1, CT_DIRECTION, NFT_DIRECTION_NONE), in_byte(1, NFT_EQUAL, 1),
          in_ct(1, CT_SOURCE4, NFT_DIRECTION_ORIGINAL), in_set(1, "tun4"), in_go("x")}},
        {"ct reply ip6 daddr fd00::1 accept",
         {in_ct(1, CT_DESTINATION6, NFT_DIRECTION_REPLY),
          in_compare(1, NFT_EQUAL, ip_of("fd00::1").bytes, 16), in_verdict(VERDICT_ACCEPT)}},
        {"ip daddr @tun4 goto x",
         {in_load(1, META_NFPROTO), ipv4(), in_payload(1, NFT_BASE_NETWORK, DESTINATION4, 4),
          in_set(1, "tun4"), in_go("x")}},
        {"ip6 daddr fd00::1 counter packets 0 bytes 0 jump x",
         {in_load(1, META_NFPROTO),
          ipv6(),
          in_payload(1, NFT_BASE_NETWORK, DESTINATION6, 16),
          in_compare(1, NFT_EQUAL, ip_of("fd00::1").bytes, 16),
          in_op(NFT_OP_COUNTER),
          {.op = NFT_OP_VERDICT, .key = VERDICT_JUMP, .name = "x"}}},
        {"iifname . ip saddr != @link_net4 drop",
         {in_load(1, META_NFPROTO), ipv4(), in_load(1, META_IIFNAME),
          in_payload(2, NFT_BASE_NETWORK, SOURCE4, 4), in_no_set(1, "link_net4"),
          in_verdict(VERDICT_DROP)}},
        {"meta mark & 0x3f000000 . oifname @exit_out goto x",
         {in_load(1, META_MARK), in_bits(1, 0x3f000000, 0), in_load(9, META_OIFNAME),
          in_set(1, "exit_out"), in_go("x")}},
        {"ip saddr vmap @peer_exit4",
         {in_load(1, META_NFPROTO), ipv4(), in_payload(1, NFT_BASE_NETWORK, SOURCE4, 4),
          in_vmap(1, "peer_exit4")}},
        {"tcp flags syn tcp option maxseg size set rt mtu",
         {in_load(1, META_L4PROTO), in_byte(1, NFT_EQUAL, 6),
          in_payload(1, NFT_BASE_TRANSPORT, 13, 1), flags, in_byte(1, NFT_NOT_EQUAL, 0), mss, hton,
          clamp}},
        {"meta l4proto tcp reject with tcp reset",
         {in_load(1, META_L4PROTO), in_byte(1, NFT_EQUAL, 6), in_op(NFT_OP_REJECT_TCP)}},
        {"reject with icmpx admin-prohibited", {in_op(NFT_OP_REJECT_ADMIN)}},
    };
    add_sets(sys);
    try_samples(sys, &chain, samples, ARRAY_SIZE(samples));
}

ON_REAL_SIDE(nft_real, source_translation)
{
    struct nft_chain chain = chain_of("srcnat");
    chain.hook = NFT_HOOK_POSTROUTING;
    chain.type = NFT_CHAIN_NAT;
    chain.priority = 100;
    struct nft_instr snat = {.op = NFT_OP_SNAT, .reg = 1, .key = 4};
    struct sample samples[] = {
        {"oifname @links masquerade",
         {in_load(1, META_OIFNAME), in_set(1, "links"), in_op(NFT_OP_MASQUERADE)}},
        {"snat ip to ip saddr map @source4",
         {in_load(1, META_NFPROTO), ipv4(), in_payload(1, NFT_BASE_NETWORK, SOURCE4, 4),
          in_map(1, 1, "source4"), snat}},
    };
    add_sets(sys);
    try_samples(sys, &chain, samples, ARRAY_SIZE(samples));
}

ON_REAL_SIDE(nft_real, destination_translation)
{
    struct nft_chain chain = chain_of("vip_in");
    chain.hook = NFT_HOOK_PREROUTING;
    chain.type = NFT_CHAIN_NAT;
    chain.priority = -105;
    chain.policy_drop = false;
    struct nft_instr dnat = {.op = NFT_OP_DNAT, .reg = 1, .source = 9, .key = 4};
    struct nft_instr dnat_address = {.op = NFT_OP_DNAT, .reg = 1, .key = 4};
    struct nft_instr address = {.op = NFT_OP_IMMEDIATE, .reg = 1, .len = 4, .data = {10, 10, 0, 1}};
    struct sample samples[] = {
        {"dnat ip to ip daddr . meta l4proto . th dport map @vip4",
         {in_load(1, META_NFPROTO), ipv4(), in_payload(1, NFT_BASE_NETWORK, DESTINATION4, 4),
          in_load(9, META_L4PROTO), in_payload(10, NFT_BASE_TRANSPORT, 2, 2), in_map(1, 1, "vip4"),
          dnat}},
        {"iifname @links dnat ip to 10.10.0.1",
         {in_load(1, META_IIFNAME), in_set(1, "links"), address, dnat_address}},
    };
    add_sets(sys);
    try_samples(sys, &chain, samples, ARRAY_SIZE(samples));
}

/* ---- what nft(8) makes ----------------------------------------------------------------------- */

/* Everything in it can be said in our words. */
static const char made_by_nft[] =
    "table inet pic {\n"
    " map in_if { type ifname : verdict; elements = { \"pic0\" : goto from_peer } }\n"
    " set exit_out { type mark . ifname; elements = { 0x01000000 . \"pl-beta\" } }\n"
    " set marks { type mark; elements = { 0x01000000, 0x3e000000 } }\n"
    " set link_net6 { type ifname . ipv6_addr; flags interval\n"
    "  elements = { \"pl-beta\" . fd00:20::/64, \"pl-gamma\" . fd00:30::1 } }\n"
    " set never4 { type ipv4_addr; flags interval\n"
    "  elements = { 10.0.0.0/8, 11.0.0.0/8, 192.168.1.1, 224.0.0.0/3 } }\n"
    " set lan6 { type ipv6_addr; flags interval; elements = { 2001:db8:a::/64 } }\n"
    " map vip4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n"
    "  elements = { 10.10.0.226 . tcp . 443 : 172.20.0.7 . 5232 } }\n"
    " chain set_beta {\n  meta mark set meta mark & 0xc0ffffff | 0x01000000\n }\n"
    " chain vip_in { type nat hook prerouting priority dstnat - 5\n"
    "  dnat ip to ip daddr . meta l4proto . th dport map @vip4\n"
    "  ip daddr 10.10.0.224/27 icmp type echo-request dnat ip to 10.10.0.1\n }\n"
    " chain clamp {\n  tcp flags syn tcp option maxseg size set rt mtu\n }\n"
    " chain forward { type filter hook forward priority filter - 1; policy drop\n"
    "  iifname vmap @in_if\n  meta mark @marks counter accept comment \"pic:x\"\n }\n"
    " chain from_peer {\n"
    "  ct state established ct direction reply accept\n"
    "  iifname . ip6 saddr != @link_net6 drop\n"
    "  ip daddr @never4 goto refuse\n"
    "  meta mark & 0x3f000000 . oifname @exit_out accept\n"
    "  oifname \"br-cell\" ct status dnat return\n"
    "  meta mark & 0x3f000000 != 0x3e000000 jump refuse\n }\n"
    " chain refuse {\n  meta l4proto tcp reject with tcp reset\n"
    "  reject with icmpx admin-prohibited\n }\n"
    " chain srcnat { type nat hook postrouting priority srcnat\n  oifname \"eth0\" masquerade\n }\n"
    "}\n";

/* Makes of the table what the ruleset says. */
static void write_ruleset(struct sys *sys, const struct nft_ruleset *ruleset)
{
    struct nft_change changes[64] = {of_table(NFT_TABLE_DELETE), of_table(NFT_TABLE_ADD)};
    size_t count = 2;
    for (size_t i = 0; i < ruleset->set_count; i++)
        changes[count++] = of_set(NFT_SET_ADD, &ruleset->sets[i]);
    for (size_t i = 0; i < ruleset->chain_count; i++)
        changes[count++] = of_chain(NFT_CHAIN_ADD, &ruleset->chains[i]);
    for (size_t i = 0; i < ruleset->set_count; i++)
        changes[count++] = of_set(NFT_ELEMENTS_ADD, &ruleset->sets[i]);
    for (size_t i = 0; i < ruleset->chain_count; i++)
        for (size_t j = 0; j < ruleset->chains[i].rule_count; j++)
            changes[count++] =
                of_rule(NFT_RULE_APPEND, &ruleset->chains[i], &ruleset->chains[i].rules[j]);
    cr_assert_leq(count, ARRAY_SIZE(changes));
    CHECK(sys_nft_commit(sys, changes, count, &error), 0);
}

ON_REAL_SIDE(nft_real, what_nft_makes_is_made_again)
{
    NFT_RULESET_AUTO ruleset = {0};
    STRBUF_AUTO before = STRBUF_INIT;
    STRBUF_AUTO after = STRBUF_INIT;
    nft(made_by_nft);
    output_of((const char *[]){"nft", "list", "table", "inet", "pic", NULL}, &before);
    table_read(sys, &ruleset);
    write_ruleset(sys, &ruleset);
    output_of((const char *[]){"nft", "list", "table", "inet", "pic", NULL}, &after);
    cr_assert_str_eq(after.text, before.text);
}

ON_REAL_SIDE(nft_real, sets_that_words_cannot_say)
{
    static const char *const wanted[] = {"timed", "sized", "counted", "typed", "fixed", "long"};
    NFT_RULESET_AUTO ruleset = {0};
    nft("table inet pic {\n"
        " set timed { type ipv4_addr; timeout 1h; elements = { 10.0.0.1 } }\n"
        " set sized { type ipv4_addr; size 10; elements = { 10.0.0.1 } }\n"
        " set counted { type ipv4_addr; counter; elements = { 10.0.0.1 } }\n"
        " set typed { type ether_addr; elements = { 00:11:22:33:44:55 } }\n"
        " set fixed { type ipv4_addr; flags constant; elements = { 10.0.0.1 } }\n"
        " set long { type ipv4_addr . inet_service . ipv4_addr . inet_service; }\n"
        " set plain { type ipv4_addr; elements = { 10.0.0.1 } }\n"
        "}\n");
    table_read(sys, &ruleset);
    cr_assert_eq(ruleset.set_count, ARRAY_SIZE(wanted) + 1);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        cr_assert(nft_find_set(&ruleset, wanted[i])->other, "set %s", wanted[i]);
    cr_assert(!nft_find_set(&ruleset, "plain")->other);
}

ON_REAL_SIDE(nft_real, rules_that_words_cannot_say)
{
    NFT_RULESET_AUTO ruleset = {0};
    nft("table inet pic {\n chain x {\n"
        "  limit rate 5/second accept\n"
        "  fib daddr type local accept\n"
        "  reject with icmpx port-unreachable\n"
        "  tcp option maxseg exists accept\n"
        "  ip saddr { 10.0.0.1, 10.0.0.2 } log prefix \"x\" return\n"
        "  meta skuid 0 tcp dport set 22\n }\n chain nat {\n"
        "  type nat hook postrouting priority srcnat\n  masquerade random\n"
        "  snat ip to 10.0.0.1-10.0.0.9 persistent\n }\n}\n");
    table_read(sys, &ruleset);
    cr_assert_eq(ruleset.set_count, 0, "anonymous sets are part of their rule");
    const struct nft_rule *x = nft_find_chain(&ruleset, "x")->rules;
    cr_assert_eq(x[0].instrs[0].op, NFT_OP_OTHER);
    cr_assert_eq(x[0].instrs[1].op, NFT_OP_VERDICT);
    cr_assert_eq(x[1].instrs[0].op, NFT_OP_OTHER);
    cr_assert_eq(x[2].instrs[0].op, NFT_OP_REJECT_OTHER);
    cr_assert_eq(x[3].instrs[0].op, NFT_OP_OTHER);
    struct nft_instr last[2] = {x[4].instrs[x[4].count - 2], x[4].instrs[x[4].count - 1]};
    cr_assert_eq(last[0].op, NFT_OP_OTHER);
    cr_assert(last[1].op == NFT_OP_VERDICT && last[1].key == VERDICT_RETURN);
    cr_assert(x[5].instrs[0].op == NFT_OP_META_LOAD && x[5].instrs[0].key == META_OTHER);
    cr_assert_eq(x[5].instrs[x[5].count - 1].op, NFT_OP_OTHER);
    const struct nft_chain *nat = nft_find_chain(&ruleset, "nat");
    cr_assert_eq(nat->rule_count, 2);
    for (size_t i = 0; i < nat->rule_count; i++)
        cr_assert_eq(nat->rules[i].instrs[nat->rules[i].count - 1].op, NFT_OP_OTHER, "%zu", i);
}

/* ---- what others make ------------------------------------------------------------------------ */

static const struct nft_chain *find(const struct nft_ruleset *ruleset, enum nft_family family,
                                    const char *table, const char *name)
{
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        const struct nft_chain *chain = &ruleset->chains[i];
        if (chain->family == family && strcmp(chain->table, table) == 0 &&
            strcmp(chain->name, name) == 0)
            return chain;
    }
    cr_assert_fail("there is no chain %s in %s", name, table);
    return NULL;
}

ON_REAL_SIDE(nft_real, chains_of_iptables)
{
    NFT_RULESET_AUTO ruleset = {0};
    run((const char *[]){"iptables", "-N", "DOCKER-USER", NULL});
    run((const char *[]){"iptables", "-A", "DOCKER-USER", "-m", "mark", "--mark",
                         "0x40000000/0x40000000", "-m", "comment", "--comment", "pic:alpha", "-j",
                         "ACCEPT", NULL});
    run((const char *[]){"iptables", "-A", "DOCKER-USER", "-p", "tcp", "-j", "REJECT", NULL});
    run((const char *[]){"iptables", "-P", "FORWARD", "DROP", NULL});
    run((const char *[]){"iptables", "-A", "FORWARD", "-j", "DOCKER-USER", NULL});
    run((const char *[]){"ip6tables", "-A", "FORWARD", "-j", "DROP", NULL});
    nft("table bridge filter {\n chain FORWARD {\n type filter hook forward priority 0\n"
        " accept\n }\n}\n");
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);

    struct nft_instr accept[] = {in_load(1, META_MARK), in_bits(1, 0x40000000, 0),
                                 in_word(1, NFT_EQUAL, 0x40000000), in_op(NFT_OP_COUNTER),
                                 in_verdict(VERDICT_ACCEPT)};
    struct nft_instr reject[] = {in_load(1, META_L4PROTO), in_byte(1, NFT_EQUAL, 6),
                                 in_op(NFT_OP_COUNTER), in_op(NFT_OP_REJECT_OTHER)};
    struct nft_instr jump = in_go("DOCKER-USER");
    jump.key = VERDICT_JUMP;
    const struct nft_chain *chain = find(&ruleset, NFT_FAMILY_IP, "filter", "DOCKER-USER");
    cr_assert(chain->hook == NFT_HOOK_NONE && chain->rule_count == 2);
    assert_same_rule(&chain->rules[0], accept, ARRAY_SIZE(accept), "accept");
    cr_assert_str_eq(chain->rules[0].comment, "pic:alpha");
    assert_same_rule(&chain->rules[1], reject, ARRAY_SIZE(reject), "reject");
    chain = find(&ruleset, NFT_FAMILY_IP, "filter", "FORWARD");
    cr_assert(chain->hook == NFT_HOOK_FORWARD && chain->policy_drop && chain->priority == 0);
    assert_same_rule(&chain->rules[0], (struct nft_instr[]){in_op(NFT_OP_COUNTER), jump}, 2,
                     "jump");
    cr_assert_eq(find(&ruleset, NFT_FAMILY_IP6, "filter", "FORWARD")->rule_count, 1);
    chain = find(&ruleset, NFT_FAMILY_OTHER, "filter", "FORWARD");
    cr_assert(chain->hook == NFT_HOOK_OTHER && chain->rule_count == 1);
}

/* Our one rule in a chain of Docker's, as iptables(8) then shows and saves it. */
ON_REAL_SIDE(nft_real, rule_among_those_of_iptables)
{
    STRBUF_AUTO out = STRBUF_INIT;
    NFT_RULESET_AUTO ruleset = {0};
    run((const char *[]){"iptables", "-N", "DOCKER-USER", NULL});
    run((const char *[]){"iptables", "-A", "DOCKER-USER", "-j", "RETURN", NULL});
    struct nft_chain chain = {.family = NFT_FAMILY_IP, .table = "filter", .name = "DOCKER-USER"};
    struct nft_instr instrs[] = {in_load(1, META_MARK), in_bits(1, 0x40000000, 0),
                                 in_word(1, NFT_EQUAL, 0x40000000), in_verdict(VERDICT_ACCEPT)};
    struct nft_rule rule = {.instrs = instrs, .count = 4, .comment = "pic:alpha"};
    struct nft_change change = {.type = NFT_RULE_INSERT,
                                .family = NFT_FAMILY_IP,
                                .table = "filter",
                                .chain = &chain,
                                .rule = &rule};
    CHECK(sys_nft_commit(sys, &change, 1, &error), 0);
    output_of((const char *[]){"iptables-save", NULL}, &out);
    const char *ours = strstr(out.text, "-A DOCKER-USER -m mark --mark 0x40000000/0x40000000");
    cr_assert(ours && strstr(ours, "-A DOCKER-USER -j RETURN"), "%s", out.text);
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);
    const struct nft_chain *live = find(&ruleset, NFT_FAMILY_IP, "filter", "DOCKER-USER");
    assert_same_rule(&live->rules[0], instrs, 4, "ours");
    cr_assert_str_eq(live->rules[0].comment, "pic:alpha");
}
