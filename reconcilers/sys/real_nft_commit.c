#include "reconcilers/sys/real.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "reconcilers/sys/nft_wire.h"
#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

/* ---- messages -------------------------------------------------------------------------------- */

struct writing;

/* How a change is said, to people and to the kernel. */
struct action {
    const char *words; /* behind "cannot" */
    enum { OF_TABLE, OF_CHAIN, OF_SET } subject;
    int message, flags;
    /* 0, or the number of the instruction that cannot be written. */
    size_t (*put)(const struct writing *writing);
};

/* A change on its way into a batch. */
struct writing {
    struct nfnl_batch *batch;
    const struct action *action;
    const struct nft_change *change;
    uint8_t family;
};

static struct nlmsghdr *begin(const struct writing *writing, size_t room)
{
    return nfnl_batch_begin(writing->batch, NFNL_SUBSYS_NFTABLES, writing->action->message,
                            writing->action->flags, writing->family, room);
}

static size_t put_table(const struct writing *writing)
{
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    mnl_attr_put_strz(msg, NFTA_TABLE_NAME, writing->change->table);
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_chain(const struct writing *writing)
{
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    nft_wire_chain_put(msg, writing->change->table, writing->change->chain);
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_chain_name(const struct writing *writing)
{
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, writing->change->table);
    mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, writing->change->chain->name);
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_rule(const struct writing *writing)
{
    const struct nft_change *change = writing->change;
    struct nlmsghdr *msg = begin(writing, nft_wire_rule_room(change->rule));
    size_t bad = nft_wire_rule_put(msg, change->table, change->chain->name, change->rule);
    nfnl_batch_end(writing->batch, msg);
    return bad;
}

/* Without a handle it is all rules of the chain. */
static size_t put_rule_name(const struct writing *writing)
{
    const struct nft_change *change = writing->change;
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    mnl_attr_put_strz(msg, NFTA_RULE_TABLE, change->table);
    mnl_attr_put_strz(msg, NFTA_RULE_CHAIN, change->chain->name);
    if (change->type == NFT_RULE_DELETE)
        mnl_attr_put_u64(msg, NFTA_RULE_HANDLE, htobe64(change->rule->handle));
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_set(const struct writing *writing)
{
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    nft_wire_set_put(msg, writing->change->table, writing->change->set, writing->batch->change);
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_set_name(const struct writing *writing)
{
    struct nlmsghdr *msg = begin(writing, NFT_WIRE_ROOM);
    mnl_attr_put_strz(msg, NFTA_SET_TABLE, writing->change->table);
    mnl_attr_put_strz(msg, NFTA_SET_NAME, writing->change->set->name);
    nfnl_batch_end(writing->batch, msg);
    return 0;
}

static size_t put_elements(const struct writing *writing)
{
    nft_wire_elements_put(writing->batch, writing->action->message, writing->action->flags,
                          writing->family, writing->change->table, writing->change->set);
    return 0;
}

static const struct action actions[] = {
    [NFT_TABLE_ADD] = {"add", OF_TABLE, NFT_MSG_NEWTABLE, NLM_F_CREATE, put_table},
    [NFT_TABLE_DELETE] = {"delete", OF_TABLE, NFT_MSG_DELTABLE, 0, put_table},
    [NFT_CHAIN_ADD] = {"add", OF_CHAIN, NFT_MSG_NEWCHAIN, NLM_F_CREATE, put_chain},
    [NFT_CHAIN_FLUSH] = {"flush", OF_CHAIN, NFT_MSG_DELRULE, 0, put_rule_name},
    [NFT_CHAIN_DELETE] = {"delete", OF_CHAIN, NFT_MSG_DELCHAIN, 0, put_chain_name},
    [NFT_RULE_APPEND] = {"append a rule to", OF_CHAIN, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
                         put_rule},
    [NFT_RULE_INSERT] = {"insert a rule into", OF_CHAIN, NFT_MSG_NEWRULE, NLM_F_CREATE, put_rule},
    [NFT_RULE_DELETE] = {"delete a rule of", OF_CHAIN, NFT_MSG_DELRULE, 0, put_rule_name},
    [NFT_SET_ADD] = {"add", OF_SET, NFT_MSG_NEWSET, NLM_F_CREATE, put_set},
    [NFT_SET_DELETE] = {"delete", OF_SET, NFT_MSG_DELSET, 0, put_set_name},
    [NFT_ELEMENTS_ADD] = {"add elements to", OF_SET, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
                          put_elements},
    [NFT_ELEMENTS_DELETE] = {"delete elements from", OF_SET, NFT_MSG_DELSETELEM, 0, put_elements},
};

/* ---- words ----------------------------------------------------------------------------------- */

/* `cannot add elements to set "exit_1" of table inet pic` */
static void say(const struct nft_change *change, struct strbuf *ret)
{
    static const char *const families[] = {[NFT_FAMILY_INET] = "inet",
                                           [NFT_FAMILY_IP] = "ip",
                                           [NFT_FAMILY_IP6] = "ip6",
                                           [NFT_FAMILY_OTHER] = "of another family"};
    const struct action *action = &actions[change->type];
    strbuf_printf(ret, "cannot %s ", action->words);
    if (action->subject == OF_CHAIN)
        strbuf_printf(ret, "chain \"%s\" of ", change->chain->name);
    if (action->subject == OF_SET)
        strbuf_printf(ret, "set \"%s\" of ", change->set->name);
    strbuf_printf(ret, "table %s %s", families[change->family], change->table);
}

/*
 * What is there already, is not there any more, or is in use: the table is not what it was when it
 * was read. Reading it again is the answer, not a person.
 */
static enum error_class class_of(int errnum)
{
    bool moved = errnum == ENOENT || errnum == EEXIST || errnum == EBUSY;
    return moved ? ERROR_TRANSIENT : error_class_of(errnum);
}

static int refused(struct real *real, const struct nft_change *change, int errnum, size_t size,
                   struct error **reterr)
{
    STRBUF_AUTO what = STRBUF_INIT;
    if (errnum == EMSGSIZE)
        return error_make(reterr, errnum,
                          "cannot change nftables: %zu bytes are too many for one transaction",
                          size);
    if (!change && (errnum == EOPNOTSUPP || errnum == EPROTONOSUPPORT))
        return error_make(reterr, ENOTSUP, "cannot change nftables: this kernel has no nf_tables");
    if (change)
        say(change, &what);
    else
        strbuf_puts(&what, "cannot change nftables");
    return nfnl_fail(real->nfnl, class_of(errnum), errnum, reterr, "%s", what.text);
}

/* ---- the call -------------------------------------------------------------------------------- */

static int write_change(struct nfnl_batch *batch, const struct nft_change *change,
                        struct error **reterr)
{
    STRBUF_AUTO what = STRBUF_INIT;
    struct writing writing = {.batch = batch,
                              .action = &actions[change->type],
                              .change = change,
                              .family = nft_wire_family(change->family)};
    batch->change++;
    if (writing.family == 0) {
        say(change, &what);
        return error_make(reterr, EINVAL, "%s", what.text);
    }
    size_t bad = writing.action->put(&writing);
    if (bad == 0)
        return 0;
    say(change, &what);
    return error_make(reterr, EINVAL, "%s: instruction %zu cannot be written", what.text, bad);
}

int real_nft_commit(void *side, const struct nft_change *changes, size_t count,
                    struct error **reterr)
{
    struct real *real = side;
    uint32_t which;
    NFNL_BATCH_AUTO batch = {0};
    nfnl_batch_boundary(&batch, NFNL_MSG_BATCH_BEGIN);
    for (size_t i = 0; i < count; i++) {
        int r = write_change(&batch, &changes[i], reterr);
        if (r < 0)
            return r;
    }
    int r = nfnl_commit(real->nfnl, &batch, &which);
    if (r == 0)
        return 0;
    const struct nft_change *change = which == NFNL_NO_CHANGE ? NULL : &changes[which - 1];
    return refused(real, change, -r, batch.len, reterr);
}
