/*
 * Docker drops what it does not know in FORWARD, and an accept of ours does not override that. It
 * leaves a chain to its users: one rule of ours stands first there, which lets pass what we have
 * accepted, as the mark says. It opens nothing by itself.
 *
 * The rule is written with nothing but mark and comment: sets and native connection states do not
 * survive iptables-save. After iptables-restore it consists of xt matches, and only the comment can
 * still be read.
 */
#include "reconcilers/firewall/firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

static const struct {
    enum nft_family family;
    const char *name;
} families[] = {{NFT_FAMILY_IP, "ip"}, {NFT_FAMILY_IP6, "ip6"}};

enum { RULE_INSTRS = 4 };

static void write_rule(const struct model *model, struct nft_instr instrs[static RULE_INSTRS],
                       struct nft_rule *ret)
{
    const uint32_t bit = MARK_ACCEPTED;
    instrs[0] = (struct nft_instr){.op = NFT_OP_META_LOAD, .key = META_MARK, .reg = 1};
    instrs[1] = (struct nft_instr){.op = NFT_OP_BITWISE, .reg = 1, .source = 1, .len = sizeof(bit)};
    memcpy(instrs[1].mask, &bit, sizeof(bit));
    instrs[2] =
        (struct nft_instr){.op = NFT_OP_COMPARE, .key = NFT_EQUAL, .reg = 1, .len = sizeof(bit)};
    memcpy(instrs[2].data, &bit, sizeof(bit));
    instrs[3] = (struct nft_instr){.op = NFT_OP_VERDICT, .key = VERDICT_ACCEPT};
    *ret = (struct nft_rule){.instrs = instrs, .count = RULE_INSTRS};
    snprintf(ret->comment, sizeof(ret->comment), "pic:%s", model->cell.id);
}

/* Rules that iptables handles count, in whatever place; what it made of ours cannot be read. */
static bool does_the_same(const struct nft_rule *rule, const struct nft_rule *ours)
{
    size_t at = 0;
    for (size_t i = 0; i < rule->count; i++) {
        const struct nft_instr *instr = &rule->instrs[i];
        if (instr->op == NFT_OP_OTHER)
            return true;
        if (instr->op == NFT_OP_COUNTER)
            continue;
        if (at == ours->count || memcmp(instr, &ours->instrs[at++], sizeof(*instr)) != 0)
            return false;
    }
    return at == ours->count;
}

void fw_docker_clear(struct fw_docker *docker)
{
    mem_freep(&docker->strays);
    *docker = (struct fw_docker){0};
}

static void look_at_chain(const struct nft_chain *chain, const struct model *model,
                          struct fw_docker *ret)
{
    struct nft_instr instrs[RULE_INSTRS];
    struct nft_rule ours;
    size_t capacity = 0;

    write_rule(model, instrs, &ours);
    ret->present = true;
    for (size_t i = 0; i < chain->rule_count; i++) {
        const struct nft_rule *rule = &chain->rules[i];
        if (strcmp(rule->comment, ours.comment) != 0)
            continue;
        if (i == 0 && does_the_same(rule, &ours)) {
            ret->first = true;
            ret->first_handle = rule->handle;
            continue;
        }
        ret->strays = mem_grow(ret->strays, ret->stray_count, &capacity, sizeof(*ret->strays));
        ret->strays[ret->stray_count++] = rule->handle;
    }
}

void fw_docker_look(const struct nft_ruleset *all, const struct model *model,
                    struct fw_docker ret[static 2])
{
    for (size_t i = 0; i < all->chain_count; i++) {
        const struct nft_chain *chain = &all->chains[i];
        if (strcmp(chain->table, "filter") != 0 || strcmp(chain->name, "DOCKER-USER") != 0)
            continue;
        for (size_t f = 0; f < ARRAY_SIZE(families); f++)
            if (chain->family == families[f].family)
                look_at_chain(chain, model, &ret[f]);
    }
}

/* ---- plan ---- */

static void change_rule(struct fw_planner *p, size_t f, enum nft_change_type type,
                        const struct nft_rule *rule)
{
    struct nft_chain chain = {
        .family = (uint8_t)families[f].family, .table = "filter", .name = "DOCKER-USER"};
    struct nft_change *change = fw_change(p, type);
    change->family = (uint8_t)families[f].family;
    snprintf(change->table, sizeof(change->table), "%s", chain.table);
    change->chain = arena_memdup(&p->plan->arena, &chain, sizeof(chain));
    change->rule = fw_copy_rule(&p->plan->arena, rule);
}

static void delete_rule(struct fw_planner *p, size_t f, uint64_t handle)
{
    change_rule(p, f, NFT_RULE_DELETE, &(struct nft_rule){.handle = handle});
}

static void plan_family(struct fw_planner *p, size_t f, bool wanted)
{
    const struct fw_docker *docker = &p->observed->docker[f];
    bool insert = wanted && !docker->first, remove = !wanted && docker->first;
    struct nft_instr instrs[RULE_INSTRS];
    struct nft_rule rule;

    if (!docker->present || (!insert && !remove && !docker->stray_count))
        return;
    fw_step(p,
            !insert               ? VERB_DELETE
            : docker->stray_count ? VERB_UPDATE
                                  : VERB_CREATE,
            "rule in chain DOCKER-USER of table %s filter", families[f].name);
    write_rule(p->model, instrs, &rule);
    plan_note(p->plan, "comment", insert ? NULL : rule.comment, insert ? rule.comment : NULL);
    for (size_t i = 0; i < docker->stray_count; i++)
        delete_rule(p, f, docker->strays[i]);
    if (remove)
        delete_rule(p, f, docker->first_handle);
    if (insert)
        change_rule(p, f, NFT_RULE_INSERT, &rule);
}

void fw_plan_docker(struct fw_planner *p, bool wanted)
{
    for (size_t f = 0; f < ARRAY_SIZE(families); f++)
        plan_family(p, f, wanted);
}
