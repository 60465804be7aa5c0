#include "reconcilers/sys/uapi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

void uapi_parser_init(struct uapi_parser *parser,
                      void (*peer)(const struct sys_wg_peer *peer, void *context), void *context)
{
    *parser = (struct uapi_parser){.on_peer = peer, .context = context};
}

void uapi_parser_clear(struct uapi_parser *parser)
{
    free(parser->allowed);
    mem_wipe(parser, sizeof(*parser));
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Decimal digits alone, up to max. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (!*text)
        return -EBADMSG;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text - '0';
        if (digit > 9 || value > max / 10 || value * 10 > max - digit)
            return -EBADMSG;
        value = value * 10 + digit;
    }
    *ret = value;
    return 0;
}

static int parse_key(const char *text, struct wgkey *ret)
{
    return wgkey_parse_hex(text, ret) < 0 ? -EBADMSG : 0;
}

/* Hands over the peer that was being read, if any. */
static void end_peer(struct uapi_parser *parser)
{
    if (!parser->peers)
        return;
    parser->peer.allowed = parser->allowed;
    parser->on_peer(&parser->peer, parser->context);
}

static int read_private_key(struct uapi_parser *parser, char *value)
{
    return parse_key(value, &parser->device.private_key);
}

static int read_listen_port(struct uapi_parser *parser, char *value)
{
    uint64_t port;
    int r = parse_number(value, UINT16_MAX, &port);
    if (r == 0)
        parser->device.listen_port = (uint16_t)port;
    return r;
}

static int read_fwmark(struct uapi_parser *parser, char *value)
{
    uint64_t mark;
    int r = parse_number(value, UINT32_MAX, &mark);
    if (r == 0)
        parser->device.fwmark = (uint32_t)mark;
    return r;
}

static int read_public_key(struct uapi_parser *parser, char *value)
{
    end_peer(parser);
    if (parser->peers == UAPI_PEERS_MAX)
        return -E2BIG;
    parser->peers++;
    parser->peer = (struct sys_wg_peer){0};
    return parse_key(value, &parser->peer.public_key);
}

static int read_preshared_key(struct uapi_parser *parser, char *value)
{
    return parse_key(value, &parser->peer.preshared_key);
}

/* a.b.c.d:port, [v6]:port or [v6%scope]:port. The scope has no place in struct sys_wg_peer. */
static int read_endpoint(struct uapi_parser *parser, char *value)
{
    uint64_t port;
    char *colon = strrchr(value, ':');
    if (!colon || parse_number(colon + 1, UINT16_MAX, &port) < 0)
        return -EBADMSG;
    *colon = '\0';
    bool brackets = value[0] == '[';
    if (brackets) {
        if (colon[-1] != ']')
            return -EBADMSG;
        colon[-1] = '\0';
        value++;
        value[strcspn(value, "%")] = '\0';
    }
    struct ip ip;
    if (ip_parse(value, &ip) < 0 || brackets != (ip.family == AF_INET6))
        return -EBADMSG;
    parser->peer.endpoint = ip;
    parser->peer.endpoint_port = (uint16_t)port;
    return 0;
}

static int read_keepalive(struct uapi_parser *parser, char *value)
{
    uint64_t seconds;
    int r = parse_number(value, UINT16_MAX, &seconds);
    if (r == 0)
        parser->peer.keepalive = (uint16_t)seconds;
    return r;
}

static int read_handshake(struct uapi_parser *parser, char *value)
{
    uint64_t seconds;
    int r = parse_number(value, INT64_MAX, &seconds);
    if (r == 0)
        parser->peer.last_handshake = (int64_t)seconds;
    return r;
}

static int read_rx_bytes(struct uapi_parser *parser, char *value)
{
    return parse_number(value, UINT64_MAX, &parser->peer.rx_bytes);
}

static int read_tx_bytes(struct uapi_parser *parser, char *value)
{
    return parse_number(value, UINT64_MAX, &parser->peer.tx_bytes);
}

static int read_allowed_ip(struct uapi_parser *parser, char *value)
{
    struct prefix prefix;
    size_t count = parser->peer.allowed_count;
    if (count == UAPI_ALLOWED_MAX)
        return -E2BIG;
    if (prefix_parse(value, &prefix) < 0)
        return -EBADMSG;
    parser->allowed =
        mem_grow(parser->allowed, count, &parser->allowed_capacity, sizeof(*parser->allowed));
    parser->allowed[count] = prefix;
    parser->peer.allowed_count = count + 1;
    return 0;
}

static int read_errno(struct uapi_parser *parser, char *value)
{
    enum { ERRNO_MAX = 4095 };
    uint64_t errnum;
    int r = parse_number(value + (*value == '-'), ERRNO_MAX, &errnum);
    if (r == 0) {
        parser->errnum = (int)errnum; /* wireguard-go writes it negative */
        parser->answered = true;
    }
    return r;
}

/* ---- lines ----------------------------------------------------------------------------------- */

enum section { DEVICE, PEER, ANYWHERE };

/* The most frequent first. */
static const struct {
    const char *name;
    enum section section;
    int (*read)(struct uapi_parser *parser, char *value);
} keys[] = {
    {"allowed_ip", PEER, read_allowed_ip},
    {"public_key", ANYWHERE, read_public_key},
    {"preshared_key", PEER, read_preshared_key},
    {"endpoint", PEER, read_endpoint},
    {"last_handshake_time_sec", PEER, read_handshake},
    {"tx_bytes", PEER, read_tx_bytes},
    {"rx_bytes", PEER, read_rx_bytes},
    {"persistent_keepalive_interval", PEER, read_keepalive},
    {"private_key", DEVICE, read_private_key},
    {"listen_port", DEVICE, read_listen_port},
    {"fwmark", DEVICE, read_fwmark},
    {"errno", ANYWHERE, read_errno},
};

static int read_pair(struct uapi_parser *parser, const char *name, char *value)
{
    enum section here = parser->peers ? PEER : DEVICE;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i].name, name) != 0)
            continue;
        if (keys[i].section != ANYWHERE && keys[i].section != here)
            return -EBADMSG;
        return keys[i].read(parser, value);
    }
    return 0;
}

/* One line without its end, terminated. */
static int read_line(struct uapi_parser *parser, char *line, size_t len)
{
    if (len == 0) {
        if (!parser->answered)
            return -EBADMSG;
        end_peer(parser);
        return UAPI_DONE;
    }
    char *equals = strchr(line, '=');
    if (parser->answered || !equals || strlen(line) != len)
        return -EBADMSG;
    *equals = '\0';
    return read_pair(parser, line, equals + 1);
}

/* Takes the next line from the chunk: a whole one is read where it stands, a part is kept. */
static int read_part(struct uapi_parser *parser, char *part, size_t len, bool ends)
{
    if (len > UAPI_LINE_MAX - parser->line_len)
        return -E2BIG;
    if (ends && parser->line_len == 0) {
        part[len] = '\0';
        return read_line(parser, part, len);
    }
    memcpy(parser->line + parser->line_len, part, len);
    parser->line_len += len;
    if (!ends)
        return 0;
    len = parser->line_len;
    parser->line[len] = '\0';
    parser->line_len = 0;
    return read_line(parser, parser->line, len);
}

int uapi_parse(struct uapi_parser *parser, char *chunk, size_t len)
{
    while (len > 0 && parser->result == 0) {
        char *end = memchr(chunk, '\n', len);
        size_t part = end ? (size_t)(end - chunk) : len;
        parser->result = read_part(parser, chunk, part, end != NULL);
        chunk += part + (end != NULL);
        len -= part + (end != NULL);
    }
    if (len > 0 && parser->result == UAPI_DONE)
        parser->result = -EBADMSG; /* more than one answer to one question */
    return parser->result;
}
