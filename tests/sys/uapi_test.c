#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/uapi.h"
#include "schema/base/mem.h"
#include "tests/sys/side.h"

/* ---- requests -------------------------------------------------------------------------------- */

/* Keys of one repeated byte, so that the text can be read. */
static struct wgkey key(uint8_t byte)
{
    struct wgkey k;
    memset(k.bytes, byte, sizeof(k.bytes));
    return k;
}

#define HEX4(x) x x x x
#define HEX(x) HEX4(HEX4(x)) HEX4(HEX4(x))

static void expect_request(const struct sys_wg_device_change *device,
                           const struct sys_wg_peer_change *peers, size_t count,
                           const char *expected)
{
    STRBUF_AUTO text = STRBUF_INIT;
    struct wgkey throwaway = key(0xee);
    uapi_format_set(device, peers, count, &throwaway, &text);
    cr_expect_str_eq(text.text, expected, "%s", text.text);
}

Test(uapi, device_request)
{
    struct sys_wg_device_change device = {.private_key = key(1), .listen_port = 1, .fwmark = 2};
    expect_request(NULL, NULL, 0, "set=1\n\n");
    expect_request(&device, NULL, 0, "set=1\n\n");
    device.set_private_key = device.set_listen_port = device.set_fwmark = true;
    device.fwmark = UINT32_MAX;
    expect_request(&device, NULL, 0,
                   "set=1\nprivate_key=" HEX("01") "\nlisten_port=1\nfwmark=4294967295\n\n");
}

Test(uapi, peer_request)
{
    struct prefix add[] = {prefix_of("10.0.0.9/24"), prefix_of("fd00::/64")};
    struct sys_wg_peer_change peers[] = {
        {.public_key = key(1),
         .create = true,
         .set_preshared_key = true,
         .preshared_key = key(2),
         .set_endpoint = true,
         .endpoint = ip_of("2001:db8::1"),
         .endpoint_port = 5,
         .set_keepalive = true,
         .allowed_add = add,
         .allowed_add_count = 2},
        {.public_key = key(3), .set_endpoint = true, .endpoint = ip_of("192.0.2.1")},
        {.public_key = key(4), .remove = true, .create = true, .set_keepalive = true},
    };
    expect_request(NULL, peers, ARRAY_SIZE(peers),
                   "set=1\npublic_key=" HEX("01") "\npreshared_key=" HEX(
                       "02") "\nendpoint=[2001:db8::1]:5\npersistent_keepalive_interval=0\n"
                             "allowed_ip=10.0.0.0/24\nallowed_ip=fd00::/64\n"
                             "public_key=" HEX("03") "\nupdate_only=true\nendpoint=192.0.2.1:0\n"
                                                     "public_key=" HEX("04") "\nremove=true\n\n");
}

/* What is taken away goes to a throw-away peer; the peer itself is never emptied. */
Test(uapi, removal_request)
{
    struct prefix one = prefix_of("10.0.0.1/32"), other = prefix_of("10.0.0.7/24");
    struct sys_wg_peer_change peers[] = {
        {.public_key = key(1), .allowed_remove = &one, .allowed_remove_count = 1},
        {.public_key = key(2), .allowed_remove = &other, .allowed_remove_count = 1},
        {.public_key = key(3), .create = true, .allowed_add = &other, .allowed_add_count = 1},
    };
    expect_request(
        NULL, peers, 2,
        "set=1\npublic_key=" HEX("01") "\nupdate_only=true\n"
                                       "public_key=" HEX(
                                           "ee") "\nallowed_ip=10.0.0.1/32\n"
                                                 "public_key=" HEX(
                                                     "02") "\nupdate_only=true\n"
                                                           "public_key=" HEX(
                                                               "ee") "\nallowed_ip=10.0.0.0/24\n"
                                                                     "public_key=" HEX(
                                                                         "ee") "\nremove=true\n\n");
    expect_request(NULL, &peers[1], 2,
                   "set=1\npublic_key=" HEX(
                       "02") "\nupdate_only=true\n"
                             "public_key=" HEX("03") "\nallowed_ip=10.0.0.0/24\n"
                                                     "public_key=" HEX("ee") "\nremove=true\n\n");
    cr_expect(uapi_removes_allowed(peers, 3));
    cr_expect(!uapi_removes_allowed(&peers[2], 1));
    peers[0].remove = true;
    cr_expect(!uapi_removes_allowed(peers, 1));
}

/* The longest of everything: the formatter asserts that its reservation was enough. */
Test(uapi, longest_request)
{
    enum { PEERS = 50 };
    struct prefix prefix = prefix_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
    struct prefix removed = prefix_of("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.254/128");
    struct sys_wg_peer_change peers[PEERS];
    struct sys_wg_device_change device = {.set_private_key = true,
                                          .set_listen_port = true,
                                          .listen_port = UINT16_MAX,
                                          .set_fwmark = true,
                                          .fwmark = UINT32_MAX};
    for (size_t i = 0; i < PEERS; i++)
        peers[i] = (struct sys_wg_peer_change){.public_key = key(1),
                                               .set_preshared_key = true,
                                               .set_endpoint = true,
                                               .endpoint = prefix.ip,
                                               .endpoint_port = UINT16_MAX,
                                               .set_keepalive = true,
                                               .keepalive = UINT16_MAX,
                                               .allowed_add = &prefix,
                                               .allowed_add_count = i % 3 > 0,
                                               .allowed_remove = &removed,
                                               .allowed_remove_count = i % 2};
    for (size_t count = 0; count <= PEERS; count++) {
        STRBUF_AUTO text = STRBUF_INIT;
        struct wgkey throwaway = key(9);
        uapi_format_set(&device, peers, count, &throwaway, &text);
        cr_expect_eq(strlen(text.text), text.len);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

/* All that a parse has to say, as one text. */
static void note_peer(const struct sys_wg_peer *peer, void *context)
{
    struct strbuf *out = context;
    char hex[2 * WGKEY_LEN + 1], text[ADDR_TEXT_MAX];
    strbuf_printf(out, "peer %.4s psk %d ", wgkey_format_hex(&peer->public_key, hex),
                  !wgkey_is_zero(&peer->preshared_key));
    if (peer->endpoint.family)
        strbuf_printf(out, "at %s ", ip_port_format(&peer->endpoint, peer->endpoint_port, text));
    strbuf_printf(out, "keepalive %u handshake %lld rx %llu tx %llu:", peer->keepalive,
                  (long long)peer->last_handshake, (unsigned long long)peer->rx_bytes,
                  (unsigned long long)peer->tx_bytes);
    for (size_t i = 0; i < peer->allowed_count; i++)
        strbuf_printf(out, " %s", prefix_format(&peer->allowed[i], text));
    strbuf_putc(out, '\n');
}

/* Parses a copy in pieces of `step` bytes, each in a block of its own size, so that a sanitizer
 * sees every byte too far. */
static int parse(const char *text, size_t len, size_t step, struct strbuf *out)
{
    struct uapi_parser parser;
    int r = 0;
    uapi_parser_init(&parser, note_peer, out);
    for (size_t at = 0; at < len; at += step) {
        size_t size = len - at < step ? len - at : step;
        MEM_AUTO char *piece = mem_alloc(size);
        memcpy(piece, text + at, size);
        r = uapi_parse(&parser, piece, size);
    }
    strbuf_printf(out, "port %u fwmark %u key %d errno %d\n", parser.device.listen_port,
                  parser.device.fwmark, !wgkey_is_zero(&parser.device.private_key), parser.errnum);
    uapi_parser_clear(&parser);
    return r;
}

#define KEY_A HEX("aa")
#define KEY_B HEX("bB")

static const char answer[] = "private_key=" HEX(
    "01") "\n"
          "listen_port=51820\n"
          "fwmark=51966\n"
          "public_key=" KEY_A "\n"
          "preshared_key=" HEX("00") "\n"
                                     "protocol_version=1\n"
                                     "endpoint=192.0.2.7:51821\n"
                                     "last_handshake_time_sec=1700000000\n"
                                     "last_handshake_time_nsec=12\n"
                                     "tx_bytes=18446744073709551615\n"
                                     "rx_bytes=0\n"
                                     "persistent_keepalive_interval=25\n"
                                     "allowed_ip=10.0.0.2/32\n"
                                     "allowed_ip=fd00::/64\n"
                                     "public_key=" KEY_B "\n"
                                     "preshared_key=" HEX(
                                         "02") "\n"
                                               "endpoint=[fe80::1%3]:65535\n"
                                               "an_unknown_key=of a later version\n"
                                               "allowed_ip=0.0.0.0/0\n"
                                               "errno=0\n"
                                               "\n";

static const char parsed[] =
    "peer aaaa psk 0 at 192.0.2.7:51821 keepalive 25 handshake 1700000000 rx 0 "
    "tx 18446744073709551615: 10.0.0.2/32 fd00::/64\n"
    "peer bbbb psk 1 at [fe80::1]:65535 keepalive 0 handshake 0 rx 0 tx 0: 0.0.0.0/0\n"
    "port 51820 fwmark 51966 key 1 errno 0\n";

Test(uapi, answer_in_pieces_of_every_size)
{
    for (size_t step = 1; step <= sizeof(answer) - 1; step++) {
        STRBUF_AUTO out = STRBUF_INIT;
        cr_expect_eq(parse(answer, sizeof(answer) - 1, step, &out), UAPI_DONE, "step %zu", step);
        cr_expect_str_eq(out.text, parsed, "step %zu: %s", step, out.text);
    }
}

Test(uapi, answer_cut_off_anywhere_is_not_an_answer)
{
    for (size_t len = 0; len < sizeof(answer) - 1; len++) {
        STRBUF_AUTO out = STRBUF_INIT;
        cr_expect_eq(parse(answer, len, len + 1, &out), 0, "length %zu", len);
    }
}

/* No single wrong byte reads or writes out of bounds, and most are noticed. */
Test(uapi, answer_with_one_wrong_byte)
{
    static const char wrong[] = {'\0', '\n', '=', '0', '9', ':', '/', '\x80', '-', ']'};
    char text[sizeof(answer)];
    for (size_t at = 0; at < sizeof(answer) - 1; at++) {
        for (size_t i = 0; i < sizeof(wrong); i++) {
            STRBUF_AUTO out = STRBUF_INIT;
            memcpy(text, answer, sizeof(answer));
            text[at] = wrong[i];
            int r = parse(text, sizeof(answer) - 1, 7, &out);
            cr_expect(r == UAPI_DONE || r == -EBADMSG || r == 0, "%zu", at);
            if (wrong[i] == '\0' && answer[at] != '\n')
                cr_expect_eq(r, -EBADMSG, "a zero byte at %zu", at);
        }
    }
}

#define PEER "public_key=" KEY_A "\n"

static const struct {
    const char *text;
    int result;
} hostile[] = {
    {"", 0},
    {"\n", -EBADMSG},
    {"errno=0\n\n", UAPI_DONE},
    {"errno=-0\n\n", UAPI_DONE},
    {"errno=-4095\n\n", UAPI_DONE},
    {"errno=4096\n\n", -EBADMSG},
    {"errno=\n\n", -EBADMSG},
    {"errno=-\n\n", -EBADMSG},
    {"errno=--1\n\n", -EBADMSG},
    {"errno= 0\n\n", -EBADMSG},
    {"errno=0\r\n\r\n", -EBADMSG},
    {"errno=0\nerrno=0\n\n", -EBADMSG},
    {"errno=0\n\n\n", -EBADMSG},
    {"errno=0\n\nx", -EBADMSG},
    {"errno=99999999999999999999999999\n\n", -EBADMSG},
    {"no equals sign\n", -EBADMSG},
    {"=\nerrno=0\n\n", UAPI_DONE},
    {"unknown=\nunknown==\nerrno=0\n\n", UAPI_DONE},
    {"listen_port=65535\nerrno=0\n\n", UAPI_DONE},
    {"listen_port=65536\n", -EBADMSG},
    {"listen_port=-1\n", -EBADMSG},
    {"listen_port=0x50\n", -EBADMSG},
    {"listen_port=18446744073709551617\n", -EBADMSG},
    {"fwmark=4294967295\nerrno=0\n\n", UAPI_DONE},
    {"fwmark=4294967296\n", -EBADMSG},
    {"private_key=" HEX("0") "\n", -EBADMSG},
    {"private_key=" HEX("00") "0\n", -EBADMSG},
    {"private_key=" HEX("0g") "\n", -EBADMSG},
    {"private_key=\n", -EBADMSG},
    {"allowed_ip=10.0.0.0/8\n", -EBADMSG},
    {"endpoint=1.2.3.4:5\n", -EBADMSG},
    {PEER "private_key=" KEY_A "\n", -EBADMSG},
    {PEER "listen_port=1\n", -EBADMSG},
    {PEER PEER "errno=0\n\n", UAPI_DONE},
    {PEER "allowed_ip=10.0.0.0/33\n", -EBADMSG},
    {PEER "allowed_ip=10.0.0.0/-1\n", -EBADMSG},
    {PEER "allowed_ip=10.0.0.0/\n", -EBADMSG},
    {PEER "allowed_ip=10.0.0/8\n", -EBADMSG},
    {PEER "allowed_ip=::/129\n", -EBADMSG},
    {PEER "allowed_ip=::ffff:1.2.3.4/128\nerrno=0\n\n", UAPI_DONE},
    {PEER "allowed_ip=\n", -EBADMSG},
    {PEER "endpoint=1.2.3.4:65536\n", -EBADMSG},
    {PEER "endpoint=1.2.3.4:0\nerrno=0\n\n", UAPI_DONE},
    {PEER "endpoint=1.2.3.4\n", -EBADMSG},
    {PEER "endpoint=1.2.3.4:\n", -EBADMSG},
    {PEER "endpoint=:1\n", -EBADMSG},
    {PEER "endpoint=[\n", -EBADMSG},
    {PEER "endpoint=[:1\n", -EBADMSG},
    {PEER "endpoint=[]:1\n", -EBADMSG},
    {PEER "endpoint=[::1:1\n", -EBADMSG},
    {PEER "endpoint=::1:1\n", -EBADMSG},
    {PEER "endpoint=[1.2.3.4]:1\n", -EBADMSG},
    {PEER "endpoint=[::1%]:1\nerrno=0\n\n", UAPI_DONE},
    {PEER "endpoint=host:1\n", -EBADMSG},
    {PEER "persistent_keepalive_interval=65536\n", -EBADMSG},
    {PEER "last_handshake_time_sec=9223372036854775807\nerrno=0\n\n", UAPI_DONE},
    {PEER "last_handshake_time_sec=9223372036854775808\n", -EBADMSG},
    {PEER "last_handshake_time_sec=-1\n", -EBADMSG},
    {PEER "rx_bytes=18446744073709551616\n", -EBADMSG},
    {PEER "tx_bytes=1e3\n", -EBADMSG},
};

Test(uapi, hostile_answers)
{
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        for (size_t step = 1; step < 100; step += 49) {
            STRBUF_AUTO out = STRBUF_INIT;
            cr_expect_eq(parse(hostile[i].text, strlen(hostile[i].text), step, &out),
                         hostile[i].result, "row %zu: %s", i, hostile[i].text);
        }
    }
}

Test(uapi, errors_stay)
{
    struct uapi_parser parser;
    char bad[] = "nonsense\n", good[] = "errno=0\n\n";
    uapi_parser_init(&parser, note_peer, NULL);
    cr_expect_eq(uapi_parse(&parser, bad, strlen(bad)), -EBADMSG);
    cr_expect_eq(uapi_parse(&parser, good, strlen(good)), -EBADMSG);
    uapi_parser_clear(&parser);
}

Test(uapi, limits)
{
    char line[UAPI_LINE_MAX + 2];
    for (size_t step = 1; step <= sizeof(line); step += sizeof(line) - 1) {
        STRBUF_AUTO out = STRBUF_INIT;
        memset(line, 'x', sizeof(line));
        cr_expect_eq(parse(line, sizeof(line), step, &out), -E2BIG, "step %zu", step);
        line[5] = '=';
        line[UAPI_LINE_MAX] = '\n';
        cr_expect_eq(parse(line, UAPI_LINE_MAX + 1, step, &out), 0, "step %zu", step);
    }

    STRBUF_AUTO many = STRBUF_INIT, out = STRBUF_INIT;
    strbuf_puts(&many, PEER);
    for (size_t i = 0; i < UAPI_ALLOWED_MAX; i++)
        strbuf_puts(&many, "allowed_ip=::/0\n");
    cr_expect_eq(parse(many.text, many.len, many.len, &out), 0);
    strbuf_puts(&many, "allowed_ip=::/0\n");
    cr_expect_eq(parse(many.text, many.len, many.len, &out), -E2BIG);
}

static void count_peer(const struct sys_wg_peer *peer, void *context)
{
    (void)peer;
    ++*(unsigned *)context;
}

Test(uapi, too_many_peers)
{
    char peer[] = PEER;
    unsigned count = 0;
    struct uapi_parser parser;
    uapi_parser_init(&parser, count_peer, &count);
    int r = 0;
    while (r == 0 && count <= UAPI_PEERS_MAX) {
        memcpy(peer, PEER, sizeof(peer));
        r = uapi_parse(&parser, peer, sizeof(peer) - 1);
    }
    cr_expect_eq(r, -E2BIG);
    cr_expect_eq(count, (unsigned)UAPI_PEERS_MAX);
    uapi_parser_clear(&parser);
}

/* After the first peer, further ones cost no memory. */
Test(uapi, memory_is_that_of_one_peer)
{
    unsigned count = 0;
    struct uapi_parser parser;
    uapi_parser_init(&parser, count_peer, &count);
    const struct prefix *block = NULL;
    for (unsigned i = 0; i < 1000; i++) {
        char text[] = PEER "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\nallowed_ip=1.1.1.1/32\n";
        cr_assert_eq(uapi_parse(&parser, text, sizeof(text) - 1), 0);
        cr_assert(!block || block == parser.allowed, "the block stays where it is");
        block = parser.allowed;
    }
    cr_expect(parser.allowed_capacity <= 8);
    cr_expect_eq(count, 999U);
    uapi_parser_clear(&parser);
}

Test(uapi, secrets_are_wiped)
{
    struct uapi_parser parser;
    char part[] = "private_key=" HEX("5");
    uapi_parser_init(&parser, note_peer, NULL);
    cr_assert_eq(uapi_parse(&parser, part, sizeof(part) - 1), 0);
    uapi_parser_clear(&parser);
    static const struct uapi_parser nothing;
    cr_expect_eq(memcmp(&parser, &nothing, sizeof(parser)), 0);
}
