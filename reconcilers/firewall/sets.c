#include "reconcilers/firewall/sets.h"

#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"

/* The type of an address of the instance's family. */
enum { ADDRESS = NFT_TYPE_OTHER, NAME = NFT_TYPE_IFNAME };

#define PREFIXES .interval = true, .by_family = true
#define PEERS .by_family = true, .twin = true, .owner = FW_OF_PEER

static const struct set_row {
    const char *name;
    uint8_t key[NFT_PARTS_MAX];
    bool interval, by_family, twin;
    enum fw_owner owner;
} rows[] = {
    [FW_LINKS] = {"links", {NAME}, .owner = FW_OF_LINK},
    [FW_UPLINKS] = {"uplinks", {NAME}, .by_family = true},
    [FW_OUTS] = {"outs", {NAME}, .owner = FW_OF_CELL},
    [FW_EXIT_OUT] = {"exit_out", {NFT_TYPE_MARK, NAME}, .owner = FW_OF_LINK},
    [FW_EXIT_USERS] = {"exit_users", {NAME}, .owner = FW_OF_LINK},
    [FW_LINK_NET] = {"link_net", {NAME, ADDRESS}, PREFIXES, .owner = FW_OF_LINK},
    [FW_LINK_HOST] = {"link_host", {NAME, ADDRESS}, .by_family = true, .owner = FW_OF_LINK},
    [FW_LINK_SHARE] = {"link_share", {NAME, ADDRESS}, PREFIXES, .owner = FW_OF_LINK},
    [FW_LAN] = {"lan", {ADDRESS}, PREFIXES},
    [FW_NEAR] = {"near", {ADDRESS}, PREFIXES},
    [FW_NEVER] = {"never", {ADDRESS}, PREFIXES},
    [FW_TUNNEL] = {"tun", {ADDRESS}, PREFIXES},
    [FW_VPN] = {"vpn", {ADDRESS}, PREFIXES},
    [FW_HOST_PORTS] = {"host_ports", {NFT_TYPE_PROTO, NFT_TYPE_PORT}, .owner = FW_OF_CELL},
    [FW_SUBNET_NAT] = {"subnet_nat", {ADDRESS}, .by_family = true, .twin = true},
    [FW_PEER_ALL] = {"peer_all", {ADDRESS}, PEERS},
    [FW_PEER_PEERS] = {"peer_peers", {ADDRESS}, PEERS},
    [FW_PEER_LINKS] = {"peer_links", {ADDRESS}, PEERS},
    [FW_PEER_LAN] = {"peer_lan", {ADDRESS}, PEERS},
    [FW_PEER_INTERNET] = {"peer_internet", {ADDRESS}, PEERS},
    [FW_PEER_HOST] = {"peer_host", {ADDRESS}, PEERS},
    [FW_PEER_PAIR] = {"peer_pair", {ADDRESS, ADDRESS}, PEERS},
    [FW_PEER_LINK] = {"peer_link", {ADDRESS, NAME}, PEERS},
    [FW_PEER_LAN_IF] = {"peer_lan_if", {ADDRESS, NAME}, PEERS},
    [FW_BLOCKED] = {"blocked", {ADDRESS}, PEERS},
    [FW_EXIT] = {"exit", {ADDRESS}, PEERS},
};

static const struct set_row *row_of(enum fw_set set)
{
    return &rows[set < FW_EXIT ? set : FW_EXIT];
}

/* ---- instances ---- */

unsigned fw_instance(enum fw_set set, bool ipv6, bool net)
{
    const struct set_row *row = row_of(set);
    return (unsigned)set * 4 + (row->by_family && ipv6 ? 2 : 0) + (row->twin && net ? 1 : 0);
}

enum fw_set fw_set_of(unsigned instance)
{
    return instance / 4;
}

bool fw_is_ipv6(unsigned instance)
{
    return instance & 2;
}

bool fw_is_net(unsigned instance)
{
    return instance & 1;
}

bool fw_has_family(enum fw_set set)
{
    return row_of(set)->by_family;
}

bool fw_has_twin(enum fw_set set)
{
    return row_of(set)->twin;
}

bool fw_wanted(const struct fw_shape *shape, unsigned instance)
{
    enum fw_set set = fw_set_of(instance);
    if (fw_instance(set, fw_is_ipv6(instance), fw_is_net(instance)) != instance)
        return false;
    if (fw_is_net(instance) && !shape->subnets)
        return false;
    if (set == FW_SUBNET_NAT && !fw_is_net(instance))
        return false;
    return set < FW_EXIT || (shape->exits >> (set - FW_EXIT) & 1);
}

char *fw_instance_name(unsigned instance, char buf[static NFT_NAME_SIZE])
{
    enum fw_set set = fw_set_of(instance);
    char number[8] = "";
    if (set >= FW_EXIT)
        snprintf(number, sizeof(number), "_%u_", (unsigned)(set - FW_EXIT) & 63);
    const char *family = !fw_has_family(set) ? "" : fw_is_ipv6(instance) ? "6" : "4";
    snprintf(buf, NFT_NAME_SIZE, "%s%s%s%s", row_of(set)->name, number, family,
             fw_is_net(instance) ? "_net" : "");
    return buf;
}

/* ---- definitions ---- */

void fw_define(unsigned instance, struct nft_set *ret)
{
    const struct set_row *row = row_of(fw_set_of(instance));
    uint8_t address = fw_is_ipv6(instance) ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;

    *ret = (struct nft_set){.interval = row->interval || fw_is_net(instance)};
    fw_instance_name(instance, ret->name);
    for (size_t i = 0; i < NFT_PARTS_MAX; i++)
        ret->key[i] = row->key[i] == ADDRESS ? address : row->key[i];
    if (fw_set_of(instance) == FW_SUBNET_NAT)
        ret->data[0] = address;
}

bool fw_same_definition(const struct nft_set *a, const struct nft_set *b)
{
    return memcmp(a->key, b->key, sizeof(a->key)) == 0 &&
           memcmp(a->data, b->data, sizeof(a->data)) == 0 && a->interval == b->interval &&
           a->other == b->other;
}

enum fw_owner fw_owner_of(unsigned instance)
{
    return fw_is_net(instance) ? FW_OF_CELL : row_of(fw_set_of(instance))->owner;
}

size_t fw_interface_offset(unsigned instance)
{
    return row_of(fw_set_of(instance))->key[0] == NFT_TYPE_MARK ? sizeof(uint32_t) : 0;
}
