#include "tests/harness/firewall_cases.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/firewall/firewall.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

#define RESOURCE(kind, name, spec)                                                                 \
    "---\napiVersion: pic/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n" spec
#define CELL_WITH(extra)                                                                           \
    RESOURCE("Cell", "alpha",                                                                      \
             "  domain: alpha.cell\n"                                                              \
             "  network: {vpn: 10.10.0.0/24, vpn6: 'fd10:a1fa:ce11::/64'}\n" extra)
#define CELL CELL_WITH("  firewall: {hostAccess: [22/tcp]}\n  api: {listen: ['vpn:3000']}\n")
#define PEER(name, n, extra)                                                                       \
    RESOURCE("Peer", name,                                                                         \
             "  publicKey: A" n "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  address: "          \
             "10.10.0.3" extra "\n")
#define LAPTOP_VIA(link) PEER("laptop", "Q", "4\n  routeVia: " link)
#define LAPTOP LAPTOP_VIA("beta")
#define PHONE PEER("phone", "g", "5\n  access: {host: true}")
#define GUEST                                                                                      \
    PEER("guest", "w", "6\n  internet: false\n  access: {peers: [phone], links: [], lan: [lan0]}")
#define LINK(name, n, net, extra)                                                                  \
    RESOURCE("Link", name,                                                                         \
             "  publicKey: B" n "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"                     \
             "  endpoint: 203.0.113.9:51821\n  vpn: 10." net ".0.0/24\n"                           \
             "  vpn6: 'fd" net "::/64'\n  domain: " name ".cell\n" extra)
#define BETA                                                                                       \
    LINK("beta", "A", "20",                                                                        \
         "  networks: [192.168.40.0/24]\n  share: {networks: [192.168.1.0/24]}\n"                  \
         "  exit: {offer: true}\n")
#define GAMMA LINK("gamma", "Q", "30", "")

struct house *firewall_house(struct sys *sys)
{
    struct house *h = house_new(sys, &reconciler_firewall);
    house_interface(h, "eth0", true, NULL, "203.0.113.0/24, 2001:db8:aa::/64");
    house_interface(h, "lan0", false, "192.168.1.0/24, fd77::/64", "192.168.1.0/24, fd77::/64");
    house_put(h, CELL LAPTOP PHONE GUEST BETA GAMMA);
    house_hears(h, "beta", true, true, false);
    house_hears(h, "gamma", true, false, false);
    return h;
}

/* ---- manifests and words ---- */

static void add_peer(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE GUEST BETA GAMMA PEER("tablet", "h", "7"));
}

static void remove_peer(struct house *h)
{
    house_put(h, CELL PHONE GUEST BETA GAMMA);
}

static void disable_named_peer(struct house *h)
{
    house_put(h, CELL LAPTOP GUEST BETA GAMMA PEER("phone", "g", "5\n  enabled: false"));
}

static void readdress_named_peer(struct house *h)
{
    house_put(h, CELL LAPTOP GUEST BETA GAMMA PEER("phone", "g", "8"));
}

static void exchange_addresses(struct house *h)
{
    house_put(h, CELL PHONE BETA GAMMA PEER("laptop", "Q", "6\n  routeVia: beta")
                     PEER("guest", "w",
                          "4\n  internet: false\n"
                          "  access: {peers: [phone], links: [], lan: [lan0]}"));
}

static void choose_exit(struct house *h)
{
    house_put(h, CELL LAPTOP GUEST BETA GAMMA PEER("phone", "g", "5\n  routeVia: beta"));
}

static void change_exit(struct house *h)
{
    house_put(h, CELL LAPTOP_VIA("gamma") PHONE GUEST BETA GAMMA);
}

void firewall_cases_leave_exit(struct house *h)
{
    house_put(h, CELL PEER("laptop", "Q", "4") PHONE GUEST BETA GAMMA);
}

void firewall_cases_return_to_exit(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE GUEST BETA GAMMA);
}

static void withdraw_offer(struct house *h)
{
    house_hears(h, "beta", false, false, false);
}

static void ask_for_relay(struct house *h)
{
    house_hears(h, "beta", true, true, true);
}

void firewall_cases_add_subnets(struct house *h)
{
    house_put(h, CELL LAPTOP GUEST BETA GAMMA PEER("phone", "g",
                                                   "5\n  access: {host: true}\n"
                                                   "  subnets: [10.9.0.0/24, 'fd99::/64']"));
}

static void remove_link(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE GUEST GAMMA);
}

/* Its set of addresses goes in the same transaction; its flows are forgotten after that. */
static void remove_link_and_exit(struct house *h)
{
    house_put(h, CELL PEER("laptop", "Q", "4") PHONE GUEST GAMMA);
}

static void change_ports(struct house *h)
{
    house_put(h, CELL_WITH("  firewall: {hostAccess: [443/tcp]}\n  peerSync: {port: 4000}\n")
                     LAPTOP PHONE GUEST BETA GAMMA);
}

static void tear_down(struct house *h)
{
    h->model->teardown = true;
}

/* ---- somebody's hands ---- */

static void commit(struct house *h, const struct nft_change *changes, size_t count)
{
    ERROR_AUTO error = NULL;
    cr_assert_eq(sys_nft_commit(h->sys, changes, count, &error), 0, "%s",
                 error ? error->message : "");
}

static struct nft_change change_of(enum nft_change_type type)
{
    return (struct nft_change){.type = type, .family = NFT_FAMILY_INET, .table = FW_TABLE};
}

static void change_chain(struct house *h, enum nft_change_type type, const char *name)
{
    struct nft_chain chain = {.family = NFT_FAMILY_INET, .table = FW_TABLE};
    struct nft_change change = change_of(type);
    snprintf(chain.name, sizeof(chain.name), "%s", name);
    change.chain = &chain;
    commit(h, &change, 1);
}

static struct nft_instr accept_all(void)
{
    return (struct nft_instr){.op = NFT_OP_VERDICT, .key = VERDICT_ACCEPT};
}

static void add_rule(struct house *h, enum nft_change_type type, const char *name)
{
    struct nft_chain chain = {.family = NFT_FAMILY_INET, .table = FW_TABLE};
    struct nft_instr instr = accept_all();
    struct nft_rule rule = {.instrs = &instr, .count = 1};
    struct nft_change change = change_of(type);
    snprintf(chain.name, sizeof(chain.name), "%s", name);
    change.chain = &chain;
    change.rule = &rule;
    commit(h, &change, 1);
}

static void append_rule(struct house *h)
{
    add_rule(h, NFT_RULE_APPEND, "guard");
}

static void insert_rule(struct house *h)
{
    add_rule(h, NFT_RULE_INSERT, "forward");
}

/* The second of chain relay. */
static void delete_rule(struct house *h)
{
    struct nft_ruleset table = {0};
    ERROR_AUTO error = NULL;
    cr_assert_eq(sys_nft_read(h->sys, FW_TABLE, &table, &error), 0);
    struct nft_change change = change_of(NFT_RULE_DELETE);
    change.chain = nft_find_chain(&table, "relay");
    change.rule = &change.chain->rules[1];
    commit(h, &change, 1);
    nft_ruleset_clear(&table);
}

static void flush_chain(struct house *h)
{
    change_chain(h, NFT_CHAIN_FLUSH, "premark");
}

static void delete_chain(struct house *h)
{
    change_chain(h, NFT_CHAIN_FLUSH, "quiet");
    change_chain(h, NFT_CHAIN_DELETE, "quiet");
}

static void add_chain(struct house *h)
{
    change_chain(h, NFT_CHAIN_ADD, "backdoor");
    add_rule(h, NFT_RULE_APPEND, "backdoor");
}

/* The chain is there again, and does nothing where it is now. */
static void move_chain(struct house *h)
{
    struct nft_chain chain = {.family = NFT_FAMILY_INET,
                              .table = FW_TABLE,
                              .name = "guard",
                              .hook = NFT_HOOK_POSTROUTING,
                              .type = NFT_CHAIN_FILTER,
                              .priority = 50};
    struct nft_change change = change_of(NFT_CHAIN_ADD);
    change.chain = &chain;
    change_chain(h, NFT_CHAIN_FLUSH, "guard");
    change_chain(h, NFT_CHAIN_DELETE, "guard");
    commit(h, &change, 1);
}

static void change_element(struct house *h, enum nft_change_type type, enum fw_set set,
                           const char *address)
{
    struct fw_key key = {.len = 0};
    struct nft_set elements;
    struct arena arena;
    struct ip ip;
    struct nft_change change = change_of(type);

    cr_assert_eq(ip_parse(address, &ip), 0);
    arena_init(&arena, 256);
    fw_define(fw_instance(set, false, false), &elements);
    fw_key_ip(&key, &ip);
    fw_put(&elements, &key, NULL, &arena);
    change.set = &elements;
    commit(h, &change, 1);
    arena_clear(&arena);
}

static unsigned number_of(const struct house *h, const char *link)
{
    return model_link_by_name(h->model, link)->number;
}

static void remove_mark(struct house *h)
{
    change_element(h, NFT_ELEMENTS_DELETE, FW_EXIT + number_of(h, "beta"), "10.10.0.34");
}

static void open_everything(struct house *h)
{
    change_element(h, NFT_ELEMENTS_ADD, FW_PEER_ALL, "10.10.0.36");
}

static void add_stranger(struct house *h)
{
    change_element(h, NFT_ELEMENTS_ADD, FW_PEER_INTERNET, "10.10.0.99");
}

static void add_set(struct house *h)
{
    struct nft_set set = {.name = "mine", .key = {NFT_TYPE_PORT}};
    struct nft_change change = change_of(NFT_SET_ADD);
    change.set = &set;
    commit(h, &change, 1);
}

static void delete_table(struct house *h)
{
    struct nft_change change = change_of(NFT_TABLE_DELETE);
    commit(h, &change, 1);
}

/* ---- Docker ---- */

static const struct nft_chain docker_user = {
    .family = NFT_FAMILY_IP, .table = "filter", .name = "DOCKER-USER"};

static void change_docker(struct house *h, enum nft_change_type type, const struct nft_rule *rule)
{
    struct nft_change change = {
        .type = type, .family = NFT_FAMILY_IP, .table = "filter", .chain = &docker_user};
    change.rule = rule;
    commit(h, &change, 1);
}

static void start_docker(struct house *h)
{
    change_docker(h, NFT_TABLE_ADD, NULL);
    change_docker(h, NFT_CHAIN_ADD, NULL);
}

/* Docker was there before us; then somebody's rule comes before ours. */
static void displace_docker_rule(struct house *h)
{
    struct nft_instr instr = {.op = NFT_OP_VERDICT, .key = VERDICT_RETURN};
    struct nft_rule rule = {.instrs = &instr, .count = 1};
    start_docker(h);
    free(house_run(h, true));
    change_docker(h, NFT_RULE_INSERT, &rule);
}

static void tear_down_docker(struct house *h)
{
    start_docker(h);
    free(house_run(h, true));
    h->model->teardown = true;
}

const struct firewall_case firewall_cases[] = {
    {"converged", NULL, true},
    {"peer-added", add_peer, false},
    {"peer-removed", remove_peer, false},
    {"named-peer-disabled", disable_named_peer, false},
    {"named-peer-readdressed", readdress_named_peer, false},
    {"addresses-exchanged", exchange_addresses, false},
    {"exit-chosen", choose_exit, false},
    {"exit-changed", change_exit, false},
    {"exit-left", firewall_cases_leave_exit, false},
    {"exit-withdrawn", withdraw_offer, false},
    {"relay-asked", ask_for_relay, false},
    {"subnets-added", firewall_cases_add_subnets, false},
    {"link-removed", remove_link, false},
    {"link-removed-exit-left", remove_link_and_exit, false},
    {"ports-changed", change_ports, false},
    {"teardown", tear_down, true},
    {"drift-rule-appended", append_rule, true},
    {"drift-rule-inserted", insert_rule, true},
    {"drift-rule-deleted", delete_rule, true},
    {"drift-chain-flushed", flush_chain, true},
    {"drift-chain-deleted", delete_chain, true},
    {"drift-chain-added", add_chain, true},
    {"drift-chain-moved", move_chain, true},
    {"drift-mark-removed", remove_mark, true},
    {"drift-peer-opened", open_everything, true},
    {"drift-stranger", add_stranger, true},
    {"drift-set-added", add_set, true},
    {"drift-table-deleted", delete_table, true},
    {"docker-started", start_docker, true},
    {"docker-rule-displaced", displace_docker_rule, true},
    {"docker-teardown", tear_down_docker, true},
};
const size_t firewall_case_count = ARRAY_SIZE(firewall_cases);

/* ---- checking ---- */

static void compare(const char *name, const char *is)
{
    MEM_AUTO char *path = mem_printf("tests/golden/firewall/%s.txt", name);
    STRBUF_AUTO expected = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    if (getenv("PIC_REGENERATE")) {
        struct io_write_options options = {.mode = 0644};
        io_write_atomic(path, is, strlen(is), &options, &error);
        return;
    }
    cr_assert_eq(io_read(path, 1 << 20, &expected, &error), 0, "%s", error ? error->message : "");
    cr_expect_str_eq(is, expected.text, "%s:\n%s", name, is);
}

void firewall_case_check(const struct firewall_case *c, struct sys *sys)
{
    struct house *h = firewall_house(sys);
    free(house_run(h, true));
    if (c->happens)
        c->happens(h);
    MEM_AUTO char *plan = house_run(h, c->look);
    compare(c->name, plan);

    uint64_t writes = sys_counters(sys)->writes;
    MEM_AUTO char *left = house_run(h, true);
    cr_expect_str_eq(left, "", "%s: left to do:\n%s", c->name, left);
    cr_expect_eq(sys_counters(sys)->writes, writes, "%s: writes in the second pass", c->name);
    house_free(h);
}
