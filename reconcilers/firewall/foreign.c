#include "reconcilers/firewall/foreign.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "reconcilers/firewall/foreign_trial.h"
#include "reconcilers/model/model.h"
#include "schema/base/mem.h"

enum {
    CALLS_MAX = 16,     /* one behind the other, as in the kernel */
    RULES_MAX = 100000, /* tried for one packet; what comes then is not known */
};

/* Where the packet goes from a rule or a chain. */
enum way {
    WAY_ON, /* to the next rule; from a chain: back, or to its policy. Perhaps it was dropped, too
             */
    WAY_ACCEPTED,
    WAY_DROPPED, /* for certain */
    WAY_UNKNOWN, /* perhaps accepted */
};

struct walk {
    const struct nft_ruleset *all;
    struct foreign_trial trial;
    struct foreign_finding drop; /* the rule of WAY_DROPPED */
    size_t rules, calls;
};

/* ---- one chain ------------------------------------------------------------------------------- */

static enum way walk_chain(struct walk *walk, const struct nft_chain *chain);

static const struct nft_chain *find_beside(const struct nft_ruleset *all,
                                           const struct nft_chain *chain, const char *name)
{
    for (size_t i = 0; i < all->chain_count; i++) {
        const struct nft_chain *other = &all->chains[i];
        if (other->family == chain->family && strcmp(other->name, name) == 0 &&
            strcmp(other->table, chain->table) == 0)
            return other;
    }
    return NULL;
}

static enum way call(struct walk *walk, const struct nft_chain *chain, const char *name)
{
    const struct nft_chain *called = find_beside(walk->all, chain, name);
    if (!called || walk->calls == CALLS_MAX)
        return WAY_UNKNOWN;
    walk->calls++;
    enum way way = walk_chain(walk, called);
    walk->calls--;
    return way;
}

/* What a rule decides that the packet comes to. *retleaves: the way on is out of the chain. */
static enum way decide(struct walk *walk, const struct nft_chain *chain,
                       const struct nft_instr *end, bool *retleaves)
{
    *retleaves = false;
    if (end->op == NFT_OP_LOOKUP_VERDICT)
        return WAY_UNKNOWN;
    if (end->op != NFT_OP_VERDICT)
        return WAY_DROPPED; /* by an answer */
    switch ((enum nft_verdict)end->key) {
    case VERDICT_ACCEPT:
        return WAY_ACCEPTED;
    case VERDICT_DROP:
        return WAY_DROPPED;
    case VERDICT_GOTO:
        *retleaves = true;
        return call(walk, chain, end->name);
    case VERDICT_JUMP:
        return call(walk, chain, end->name);
    case VERDICT_RETURN:
        *retleaves = true;
        return WAY_ON;
    case VERDICT_CONTINUE:
        return WAY_ON;
    case VERDICT_QUEUE:
        return WAY_UNKNOWN;
    }
    return WAY_UNKNOWN;
}

/*
 * One rule. A packet that perhaps comes to it counts where the rule may accept it. Where the rule
 * may drop it, it is gone or goes on, and what drops it later drops it for certain. Once it has
 * perhaps left the chain (*left), all that follows is perhaps. True: the chain ends here.
 */
static bool walk_rule(struct walk *walk, const struct nft_chain *chain, size_t i, bool *left,
                      enum way *retway)
{
    const struct nft_instr *end;
    enum truth truth = foreign_try(&walk->trial, &chain->rules[i], &end);
    bool sure = truth == TRUTH_YES && !*left, leaves;
    if (truth == TRUTH_NO || !end)
        return false;
    walk->trial.doubtful |= truth == TRUTH_MAYBE;
    enum way way = decide(walk, chain, end, &leaves);
    switch (way) {
    case WAY_ON:
        *left |= leaves;
        return leaves && truth == TRUTH_YES;
    case WAY_DROPPED:
        if (sure && (end->op != NFT_OP_VERDICT || end->key == VERDICT_DROP)) {
            walk->drop.chain = chain;
            walk->drop.number = i + 1;
            walk->drop.handle = chain->rules[i].handle;
        }
        *retway = sure ? WAY_DROPPED : WAY_ON;
        return truth == TRUTH_YES;
    case WAY_ACCEPTED:
    case WAY_UNKNOWN:
        *retway = sure ? way : WAY_UNKNOWN;
        return true;
    }
    return false;
}

static enum way walk_chain(struct walk *walk, const struct nft_chain *chain)
{
    const bool doubtful = walk->trial.doubtful;
    bool left = false, over = false;
    enum way way = WAY_ON;
    for (size_t i = 0; i < chain->rule_count && !over; i++) {
        if (walk->rules == RULES_MAX) {
            way = WAY_UNKNOWN;
            break;
        }
        walk->rules++;
        walk->trial.doubtful = doubtful || left;
        over = walk_rule(walk, chain, i, &left, &way);
    }
    walk->trial.doubtful = doubtful;
    return way;
}

/* ---- all chains of a hook -------------------------------------------------------------------- */

struct search {
    const struct nft_ruleset *all;
    const struct nft_chain **chains; /* base chains of the packet's hook, as they are run */
    size_t chain_count;
    struct foreign_finding *findings;
    size_t count, capacity;
};

static bool is_passed(const struct nft_chain *chain, const struct foreign_packet *packet)
{
    bool six = packet->destination.family == AF_INET6;
    bool ours = chain->family == NFT_FAMILY_INET && strcmp(chain->table, "pic") == 0;
    return chain->hook == packet->hook && chain->type == NFT_CHAIN_FILTER && !ours &&
           (chain->family == NFT_FAMILY_INET ||
            chain->family == (six ? NFT_FAMILY_IP6 : NFT_FAMILY_IP));
}

/* Those of one priority as they are listed. */
static int by_priority(const void *a, const void *b)
{
    const struct nft_chain *one = *(const struct nft_chain *const *)a;
    const struct nft_chain *other = *(const struct nft_chain *const *)b;
    if (one->priority != other->priority)
        return one->priority < other->priority ? -1 : 1;
    return (one > other) - (one < other);
}

static void find_chains(struct search *search, const struct foreign_packet *packet)
{
    search->chain_count = 0;
    for (size_t i = 0; i < search->all->chain_count; i++)
        if (is_passed(&search->all->chains[i], packet))
            search->chains[search->chain_count++] = &search->all->chains[i];
    qsort(search->chains, search->chain_count, sizeof(struct nft_chain *), by_priority);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool sounds_like(const struct foreign_finding *a, const struct foreign_finding *b)
{
    const struct foreign_packet *one = a->packet, *other = b->packet;
    return a->chain == b->chain && a->number == b->number && a->marked == b->marked &&
           one->hook == other->hook && one->protocol == other->protocol &&
           one->port == other->port && same_text(one->in, other->in) &&
           same_text(one->out, other->out) && same_text(one->harm, other->harm);
}

static void keep(struct search *search, const struct foreign_finding *finding)
{
    for (size_t i = 0; i < search->count; i++)
        if (sounds_like(&search->findings[i], finding))
            return;
    search->findings =
        mem_grow(search->findings, search->count, &search->capacity, sizeof(*search->findings));
    search->findings[search->count++] = *finding;
}

/* After a drop too: each chain that drops the packet has to be changed. */
static void try_packet(struct search *search, const struct foreign_packet *packet)
{
    const uint32_t ours = MARK_MASK | MARK_ACCEPTED;
    struct walk walk = {.all = search->all};
    bool behind_us = false;
    foreign_trial_init(&walk.trial, packet);
    foreign_trial_mark(&walk.trial, packet->mark & ~(uint32_t)MARK_ACCEPTED, ours);
    find_chains(search, packet);
    for (size_t i = 0; i < search->chain_count; i++) {
        const struct nft_chain *base = search->chains[i];
        if (!behind_us && base->priority >= FOREIGN_OUR_PRIORITY) {
            behind_us = true;
            foreign_trial_mark(&walk.trial, packet->mark, ours);
        }
        enum way way = walk_chain(&walk, base);
        if (way == WAY_UNKNOWN)
            foreign_trial_forget_mark(&walk.trial);
        if (way == WAY_ON && base->policy_drop)
            walk.drop = (struct foreign_finding){.chain = base};
        else if (way != WAY_DROPPED)
            continue;
        walk.drop.packet = packet;
        walk.drop.marked = behind_us && (packet->mark & MARK_ACCEPTED);
        keep(search, &walk.drop);
    }
}

void foreign_find(const struct nft_ruleset *all, const struct foreign_packet *packets, size_t count,
                  void (*found)(const struct foreign_finding *finding, void *context),
                  void *context)
{
    struct search search = {.all = all};
    search.chains = mem_alloc(all->chain_count * sizeof(struct nft_chain *));
    for (size_t i = 0; i < count; i++)
        try_packet(&search, &packets[i]);
    for (size_t i = 0; i < search.count; i++)
        found(&search.findings[i], context);
    free(search.findings);
    free(search.chains);
}
