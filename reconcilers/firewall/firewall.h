/*
 * The firewall: the table `inet pic`, ours alone, and one rule in Docker's DOCKER-USER.
 *
 * The rules are constant (chains.c); who may do what is in sets (members.c). So a peer that comes,
 * goes or leaves by another exit is a change of elements, and nobody else's packets notice.
 *
 * Whatever one plan holds is one transaction: the kernel goes from one complete ruleset to the
 * next.
 */
#pragma once

#include "reconcilers/firewall/sets.h"
#include "reconcilers/reconciler.h"

extern const struct reconciler reconciler_firewall;

#define FW_TABLE "pic"

/* ---- the rules (chains.c, words.c) ----------------------------------------------------------- */

/* Chains with their rules, callers before those that they call; in the arena. */
struct nft_chain *fw_chains(const struct fw_shape *shape, struct arena *arena, size_t *retcount);

/* ---- desired (desired.c, members.c, subnets.c) ----------------------------------------------- */

struct fw_desired {
    const struct model *model;
    struct arena *arena;
    bool nothing_due;     /* no Cell, or on hold: leave everything as it is */
    bool wanted;          /* false: all of it has to go */
    bool everything;      /* chains, and all elements; else only… */
    struct ip *addresses; /* …elements of peers that begin with one of these; sorted */
    size_t address_count;
    struct fw_shape shape;
    struct nft_chain *chains;
    size_t chain_count;
    struct nft_set sets[FW_INSTANCES]; /* with what they should have of that; not wanted: no name */
};

const void *fw_desired(const struct model *model, const struct keys *keys, struct arena *arena);
/* Its tunnel is there, or may be: one without its secret is left as it is. */
bool fw_has_tunnel(const struct model_link *link);
/* Elements that are the cell's and the links'. */
void fw_cell_members(struct fw_desired *desired);
/* A peer that is on the device, as the source of packets: an address of its own, or (net) addresses
 * behind it. */
struct fw_source {
    bool ipv6, net;
    struct fw_key key;
};
struct fw_source fw_source_of(const struct ip *address);
/* Elements that begin with the source. */
void fw_peer_members(struct fw_desired *desired, const struct model_peer *peer,
                     const struct fw_source *source);
/* Elements of the subnets behind all peers, in the twins and in the sets of prefixes. */
void fw_subnet_members(struct fw_desired *desired);

/* ---- observed (observe.c, docker.c, problems.c) --------------------------------------------- */

/* The chain DOCKER-USER of one family. */
struct fw_docker {
    bool present;
    bool first; /* our rule is the first, and as it should be */
    uint64_t first_handle;
    uint64_t *strays; /* handles of other rules with our comment */
    size_t stray_count;
};

struct fw_observed {
    bool known; /* all that follows is the system's state at `generation` */
    uint32_t generation;
    struct nft_ruleset table;
    struct nft_set *sets[FW_INSTANCES]; /* of those in `table`; NULL: not there */
    struct fw_docker docker[2];         /* IPv4, IPv6 */
    uint64_t samples;                   /* that were tried for… */
    struct strbuf problems;             /* …chains of others that drop our traffic, one a line */
};

void *fw_observed_new(void);
void fw_observed_free(void *observed);
int fw_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr);
void fw_learn(void *observed, const struct plan *plan, size_t from, size_t to);

void fw_docker_clear(struct fw_docker *docker);
void fw_docker_look(const struct nft_ruleset *all, const struct model *model,
                    struct fw_docker ret[static 2]);

/* Appends what others drop of ours, one a line. What is looked for follows the model: another
 * number, another look. */
uint64_t fw_problems_samples(const struct model *model);
void fw_problems_look(const struct nft_ruleset *all, const struct model *model, struct strbuf *ret);

/* ---- plan and apply -------------------------------------------------------------------------- */

/* All that apply() and learn() need of a step; what it points to lies in the plan. */
struct fw_action {
    struct nft_change *changes; /* a part of the transaction… */
    size_t count;
    struct ip forget; /* …or, with a family, the source whose flows are forgotten */
};

struct fw_planner {
    const struct fw_desired *desired;
    const struct fw_observed *observed;
    const struct model *model;
    struct plan *plan;
    const char *cause;        /* of what belongs to no single peer or link */
    bool remade;              /* a step makes the table, perhaps anew */
    struct fw_action *action; /* of the last step */
    size_t change_capacity;
    struct fw_flow *flows; /* the last first */
    struct arena scratch;
};

/* Flows that are forgotten after the transaction. */
struct fw_flow {
    struct ip source;
    const struct wgkey *key; /* of the peer */
    const char *cause;
    struct fw_flow *next;
};

void fw_plan(const void *desired, const void *observed, struct plan *plan);
/* A step of the cell's, and one of somebody's. */
struct step *fw_step(struct fw_planner *p, enum verb verb, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct step *fw_step_of(struct fw_planner *p, enum verb verb, const char *key, const char *cause,
                        const char *object);
/* A change of the last step, in our table. */
struct nft_change *fw_change(struct fw_planner *p, enum nft_change_type type);
void fw_change_set(struct fw_planner *p, enum nft_change_type type, const struct nft_set *set);
const struct nft_rule *fw_copy_rule(struct arena *arena, const struct nft_rule *rule);
/* The set as it is live, if its elements may stay; else NULL. */
const struct nft_set *fw_live(const struct fw_planner *p, unsigned instance);
/* Sets and chains, where the table is made with all elements but those of peers; and what there is
 * too much (structure.c). */
void fw_plan_structure(struct fw_planner *p);
void fw_plan_leftovers(struct fw_planner *p);
/* The steps that make the elements what they should be (elements.c). */
void fw_plan_elements(struct fw_planner *p);
/* Our rule in DOCKER-USER (docker.c). */
void fw_plan_docker(struct fw_planner *p, bool wanted);

int fw_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr);
void fw_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status);
