/*
 * Chains that drop our traffic, as people and their tools write them, read back from the kernel.
 */
#include "reconcilers/firewall/foreign.h"

#include <string.h>

#include "reconcilers/model/model.h"
#include "schema/base/mem.h"
#include "schema/base/strbuf.h"
#include "tests/sys/real_hands.h"

#define RULESET_AUTO __attribute__((cleanup(nft_ruleset_clear))) struct nft_ruleset

/* Commands, one a line: of iptables where they begin with a minus, else of nft. */
static void put(const char *commands)
{
    while (*commands) {
        size_t len = strcspn(commands, "\n");
        MEM_AUTO char *line = mem_strndup(commands, len);
        MEM_AUTO char *iptables = mem_printf("iptables-nft %s", line);
        if (line[0] == '-')
            run((const char *[]){"sh", "-c", iptables, NULL});
        else
            run((const char *[]){"nft", line, NULL});
        commands += len + (commands[len] == '\n');
    }
}

static void add_words(const struct foreign_finding *finding, void *context)
{
    foreign_say(finding, context);
    strbuf_putc(context, '\n');
}

#define INPUT(rules)                                                                               \
    "table inet filter { chain input { type filter hook input priority filter; policy "            \
    "drop; " rules "; }; }\n"
#define FORWARD_DROPPED                                                                            \
    "chain FORWARD of table ip filter drops what is forwarded from pic0 to eth0 (policy drop): "   \
    "add an accept rule for it, or for mark 0x40000000/0x40000000\n"
#define INPUT_DROPPED(chain, table, where, before)                                                 \
    "chain " chain " of table " table " drops udp port 51820 from eth0 (" where "): WireGuard "    \
    "cannot be reached; add \"iifname eth0 udp dport 51820 accept\"" before "\n"

ON_REAL_SIDE(foreign, as_tools_write_them)
{
    static const struct {
        const char *commands, *words;
    } rows[] = {
        {"-N DOCKER-USER\n"
         "-N DOCKER-FORWARD\n"
         "-P FORWARD DROP\n"
         "-A FORWARD -j DOCKER-USER\n"
         "-A FORWARD -j DOCKER-FORWARD\n"
         "-A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
         "-A DOCKER-FORWARD -i docker0 ! -o docker0 -j ACCEPT\n"
         "-A DOCKER-USER -j RETURN\n",
         FORWARD_DROPPED},
        {"-P FORWARD DROP\n-A FORWARD -s 10.10.0.0/24 -o eth+ -j ACCEPT\n", ""},
        {"-P FORWARD DROP\n-A FORWARD -s 10.10.0.0/27 -j ACCEPT\n", FORWARD_DROPPED},
        {"-P FORWARD DROP\n-A FORWARD ! -i pic0 -j ACCEPT\n", FORWARD_DROPPED},
        {"-P INPUT DROP\n-A INPUT -p udp --dport 51820 -j ACCEPT\n", ""},
        {"-A INPUT -p tcp -j DROP\n-A INPUT -i eth0 -p udp -j REJECT\n",
         INPUT_DROPPED("INPUT", "ip filter", "rule 2", " before it")},
        {INPUT("ct state established,related accept; iifname lo accept; tcp dport 22 accept; "
               "udp dport 53 accept; meta l4proto { icmp, tcp } accept"),
         ""}, /* a set without a name */
        {INPUT("ct state established,related accept; iifname lo accept; tcp dport 22 accept; "
               "tcp dport { 80, 443 } accept; icmp type echo-request accept; "
               "udp dport 1-1023 accept; ip saddr 192.168.0.0/16 accept; "
               "log prefix \"dropped \""),
         INPUT_DROPPED("input", "inet filter", "policy drop", "")},
        {INPUT("ct state new udp dport 51000-52000 accept"), ""},
        {"table inet firewalld { chain P { iifname eth0 goto public; }; chain public { "
         "tcp dport 22 accept; }; chain I { type filter hook input priority filter + 10; "
         "ct state established,related accept; ct status dnat accept; iifname lo accept; jump P; "
         "ct state invalid drop; reject with icmpx admin-prohibited; }; }\n",
         INPUT_DROPPED("I", "inet firewalld", "rule 6", " before it")},
        /* What these words cannot say may accept. */
        {"-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n", ""},
        {INPUT("ct state vmap { established : accept, invalid : drop }"), ""},
        {INPUT("limit rate 5/second accept"), ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct foreign_packet packets[] = {
            {.hook = NFT_HOOK_FORWARD,
             .in = "pic0",
             .out = "eth0",
             .source = ip_of("10.10.0.34"),
             .destination = ip_of("203.0.113.80"),
             .mark = MARK_DIRECT | MARK_ACCEPTED},
            {.hook = NFT_HOOK_INPUT,
             .in = "eth0",
             .source = ip_of("203.0.113.80"),
             .destination = ip_of("198.51.100.2"),
             .protocol = IPPROTO_UDP,
             .port = 51820,
             .harm = "WireGuard cannot be reached"},
        };
        RULESET_AUTO all = {0};
        STRBUF_AUTO words = STRBUF_INIT;
        put(rows[i].commands);
        CHECK(sys_nft_read(sys, NULL, &all, &error), 0);
        foreign_find(&all, packets, ARRAY_SIZE(packets), add_words, &words);
        cr_expect_str_eq(words.text, rows[i].words, "row %zu: %s", i, words.text);
        put("flush ruleset\n");
    }
}
