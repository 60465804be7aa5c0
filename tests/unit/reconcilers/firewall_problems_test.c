/*
 * Chains of others in the status of the Cell: found at the look after they came.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "reconcilers/firewall/firewall.h"
#include "reconcilers/sys/fake.h"
#include "schema/base/mem.h"
#include "tests/harness/firewall_cases.h"

static char *problems(struct house *h)
{
    json_t *status = json_object();
    STRBUF_AUTO out = STRBUF_INIT;
    size_t i;
    json_t *line;
    fw_status(h->model, h->observed, h->model->cell.resource, status);
    json_array_foreach(json_object_get(json_object_get(status, "firewall"), "problems"), i, line)
        strbuf_printf(&out, "%s\n", json_string_value(line));
    json_decref(status);
    return strbuf_steal(&out);
}

static struct nft_instr load(enum nft_base base, uint16_t offset, uint16_t len)
{
    return (struct nft_instr){
        .op = NFT_OP_PAYLOAD, .key = (uint8_t)base, .reg = 1, .offset = offset, .len = len};
}

static struct nft_instr is(const void *data, uint16_t len)
{
    struct nft_instr instr = {.op = NFT_OP_COMPARE, .key = NFT_EQUAL, .reg = 1, .len = len};
    memcpy(instr.data, data, len);
    return instr;
}

static void add_chain(struct house *h, enum nft_hook hook, struct nft_rule *rule)
{
    struct nft_chain chain = {.family = NFT_FAMILY_IP,
                              .table = "filter",
                              .name = "theirs",
                              .hook = hook,
                              .type = NFT_CHAIN_FILTER,
                              .policy_drop = true};
    struct nft_change changes[] = {
        {.type = NFT_TABLE_ADD}, {.type = NFT_CHAIN_ADD}, {.type = NFT_RULE_APPEND}};
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        changes[i].family = NFT_FAMILY_IP;
        memcpy(changes[i].table, "filter", sizeof("filter"));
        changes[i].chain = &chain;
        changes[i].rule = rule;
    }
    sys_fake_nft_commit(h->sys, changes, rule ? 3 : 2);
    free(house_run(h, true));
}

Test(firewall_problems, what_others_drop_of_what_is_forwarded)
{
    struct sys *sys = sys_fake_new();
    struct house *h = firewall_house(sys);
    free(house_run(h, true));
    MEM_AUTO char *none = problems(h);
    cr_expect_str_eq(none, "");
    add_chain(h, NFT_HOOK_FORWARD, NULL);
    MEM_AUTO char *found = problems(h);
    cr_expect(strstr(found, "chain theirs of table ip filter drops what is forwarded from pic0 to "
                            "eth0 (policy drop): peers cannot reach the internet"),
              "%s", found);
    cr_expect(strstr(found, "peers cannot reach the cell of link beta"), "%s", found);
    house_hears(h, "beta", true, true, true);
    free(house_run(h, true));
    MEM_AUTO char *relaying = problems(h);
    cr_expect(strstr(relaying, "link beta cannot use us as its exit"), "%s", relaying);
    house_free(h);
    sys_close(sys);
}

/* What accepts WireGuard's packets to one of our addresses may well be what is needed. */
Test(firewall_problems, an_address_that_is_not_known_is_no_finding)
{
    const uint8_t udp = 17, address[] = {203, 0, 113, 2};
    struct nft_instr instrs[] = {load(NFT_BASE_NETWORK, 9, 1),
                                 is(&udp, 1),
                                 load(NFT_BASE_NETWORK, 16, 4),
                                 is(address, 4),
                                 {.op = NFT_OP_VERDICT, .key = VERDICT_ACCEPT}};
    for (size_t with_rule = 0; with_rule < 2; with_rule++) {
        struct sys *sys = sys_fake_new();
        struct house *h = firewall_house(sys);
        struct nft_rule rule = {.instrs = instrs, .count = ARRAY_SIZE(instrs)};
        free(house_run(h, true));
        add_chain(h, NFT_HOOK_INPUT, with_rule ? &rule : NULL);
        MEM_AUTO char *found = problems(h);
        cr_expect_eq(strstr(found, "WireGuard cannot be reached") == NULL, with_rule, "%s", found);
        house_free(h);
        sys_close(sys);
    }
}
