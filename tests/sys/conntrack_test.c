/*
 * Connection tracking on the real kernel, with conntrack(8) as a second opinion.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"

static socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
    struct ip ip = ip_of(text);
    *ret = (struct sockaddr_storage){.ss_family = ip.family};
    if (ip.family == AF_INET) {
        struct sockaddr_in *address = (struct sockaddr_in *)ret;
        address->sin_port = htons(port);
        memcpy(&address->sin_addr, ip.bytes, 4);
        return sizeof(*address);
    }
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)ret;
    address->sin6_port = htons(port);
    memcpy(&address->sin6_addr, ip.bytes, 16);
    return sizeof(*address);
}

/* One datagram; nobody needs to be there. */
static void send_from(const char *source, const char *destination, uint16_t port)
{
    struct sockaddr_storage from, to;
    socklen_t from_len = address_of(source, 0, &from), to_len = address_of(destination, port, &to);
    int fd = socket(from.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&from, from_len), 0, "%s", source);
    cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, to_len), 1, "%s", destination);
    close(fd);
}

/* How many entries have this source in their original direction. */
static unsigned entries_from(const char *family, const char *source)
{
    STRBUF_AUTO out = STRBUF_INIT;
    unsigned count = 0;
    output_of((const char *[]){"conntrack", "-L", "-f", family, "-p", "udp", "-s", source, NULL},
              &out);
    for (const char *at = out.text; (at = strstr(at, "udp ")); at++)
        count++;
    return count;
}

/* Connections are tracked where a rule asks for their state. */
static void track(void)
{
    run((const char *[]){"nft",
                         "table inet tracking { chain c { type filter hook output priority 0; ct "
                         "state new counter; }; }",
                         NULL});
}

ON_REAL_SIDE(conntrack, forgets_by_source)
{
    struct ip source4 = ip_of("127.0.0.2"), source6 = ip_of("fd00::2");
    struct prefix own2 = prefix_of("fd00::2/128"), own3 = prefix_of("fd00::3/128");
    track();
    side->addr_add(sys, "lo", &own2);
    side->addr_add(sys, "lo", &own3);
    for (uint16_t port = 1000; port < 1300; port++)
        send_from("127.0.0.2", "127.0.0.1", port);
    send_from("127.0.0.3", "127.0.0.2", 1000);
    send_from("fd00::2", "::1", 1000);
    send_from("fd00::3", "::1", 1000);
    cr_assert_eq(entries_from("ipv4", "127.0.0.2"), 300);
    cr_assert_eq(entries_from("ipv6", "fd00::2"), 1);

    CHECK(sys_conntrack_forget(sys, &source4, &error), 0);
    cr_assert_eq(entries_from("ipv4", "127.0.0.2"), 0);
    cr_assert_eq(entries_from("ipv4", "127.0.0.3"), 1, "what goes to it stays");
    cr_assert_eq(entries_from("ipv6", "fd00::2"), 1);
    CHECK(sys_conntrack_forget(sys, &source6, &error), 0);
    cr_assert_eq(entries_from("ipv6", "fd00::2"), 0);
    cr_assert_eq(entries_from("ipv6", "fd00::3"), 1);
    CHECK(sys_conntrack_forget(sys, &source6, &error), 0);
}

ON_REAL_SIDE(conntrack, entries_of_other_zones_too)
{
    struct ip source = ip_of("127.0.0.2");
    run((const char *[]){"nft",
                         "table inet zones { chain c { type filter hook output priority raw; udp "
                         "dport 1001 ct zone set 7; }; }",
                         NULL});
    track();
    send_from("127.0.0.2", "127.0.0.1", 1000);
    send_from("127.0.0.2", "127.0.0.1", 1001);
    cr_assert_geq(entries_from("ipv4", "127.0.0.2"), 2);
    CHECK(sys_conntrack_forget(sys, &source, &error), 0);
    cr_assert_eq(entries_from("ipv4", "127.0.0.2"), 0);
}
