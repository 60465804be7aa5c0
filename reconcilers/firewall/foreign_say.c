#include <netinet/in.h>

#include "reconcilers/firewall/foreign.h"
#include "reconcilers/model/model.h"
#include "reconcilers/sys/nft_words.h"
#include "schema/base/strbuf.h"

static const char *protocol_name(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : NULL;
}

/* `udp port 51820`, `what is forwarded from pic0 to eth0` */
static void say_packet(const struct foreign_packet *packet, struct strbuf *ret)
{
    const char *name = protocol_name(packet->protocol);
    bool forward = packet->hook == NFT_HOOK_FORWARD;
    if (name)
        strbuf_puts(ret, name);
    else if (packet->protocol)
        strbuf_printf(ret, "protocol %u", packet->protocol);
    else
        strbuf_puts(ret, forward ? "what is" : "what comes");
    if (name && packet->port)
        strbuf_printf(ret, " port %u", packet->port);
    if (forward)
        strbuf_puts(ret, " forwarded");
    if (packet->in)
        strbuf_printf(ret, " from %s", packet->in);
    if (forward && packet->out)
        strbuf_printf(ret, " to %s", packet->out);
}

/* `"iifname pic0 udp dport 53 accept"`, as nft(8) takes it. */
static void say_rule(const struct foreign_packet *packet, struct strbuf *ret)
{
    const char *name = protocol_name(packet->protocol);
    strbuf_putc(ret, '"');
    if (packet->in)
        strbuf_printf(ret, "iifname %s ", packet->in);
    if (name && packet->port)
        strbuf_printf(ret, "%s dport %u ", name, packet->port);
    else if (packet->protocol)
        strbuf_printf(ret, "meta l4proto %u ", packet->protocol);
    strbuf_puts(ret, "accept\"");
}

void foreign_say(const struct foreign_finding *finding, struct strbuf *ret)
{
    const struct foreign_packet *packet = finding->packet;
    const struct nft_chain *chain = finding->chain;
    strbuf_printf(ret, "chain %s of table %s %s drops ", chain->name,
                  nft_family_name((enum nft_family)chain->family), chain->table);
    say_packet(packet, ret);
    if (finding->number)
        strbuf_printf(ret, " (rule %zu): ", finding->number);
    else
        strbuf_puts(ret, " (policy drop): ");
    if (packet->harm)
        strbuf_printf(ret, "%s; ", packet->harm);
    strbuf_puts(ret, "add ");
    if (packet->hook == NFT_HOOK_INPUT)
        say_rule(packet, ret);
    else
        strbuf_puts(ret, "an accept rule for it");
    if (finding->number)
        strbuf_puts(ret, " before it");
    if (packet->hook == NFT_HOOK_FORWARD && finding->marked)
        strbuf_printf(ret, ", or for mark 0x%08x/0x%08x", MARK_ACCEPTED, MARK_ACCEPTED);
}
