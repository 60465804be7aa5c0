#include "controller/api/http_parse.h"

#include <string.h>
#include <strings.h>

#include "controller/api/http_host.h"
#include "controller/api/http_target.h"
#include "schema/base/mem.h"

/* The longest good request line, and what tells a long target from a long header. */
enum { REQUEST_LINE_MAX = HTTP_METHOD_MAX + HTTP_TARGET_MAX + sizeof("  HTTP/1.1\r\n") - 1 };

static int fault(struct http_parser *p, int status, const char *why)
{
    p->fault = why;
    return status;
}

/* Ends text at the first c and returns what follows it; NULL when there is no c. */
static char *cut(char *text, char c)
{
    char *at = strchr(text, c);
    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

/* Cuts spaces and tabs off both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    text[len] = '\0';
    return text;
}

static bool is_token(const char *text)
{
    static const char characters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *text && text[strspn(text, characters)] == '\0';
}

/* --- request line ----------------------------------------------------------------------------- */

static int take_method(struct http_parser *p, const char *method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",
        [HTTP_HEAD] = "HEAD",
        [HTTP_PUT] = "PUT",
    };
    if (!is_token(method) || strlen(method) > HTTP_METHOD_MAX)
        return fault(p, 400, "the request line does not begin with a method");
    p->head.method = HTTP_OTHER;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(method, names[i]) == 0)
            p->head.method = (enum http_method)i;
    return 0;
}

static int take_version(struct http_parser *p, const char *version)
{
    if (strlen(version) != strlen("HTTP/1.1") || strncmp(version, "HTTP/", 5) != 0 ||
        version[6] != '.')
        return fault(p, 400, "the request line does not end in an HTTP version");
    if (version[5] != '1' || version[7] < '0' || version[7] > '9')
        return fault(p, 505, "this server speaks HTTP/1.1");
    p->minor = (unsigned)(version[7] - '0');
    return 0;
}

/*
 * Takes "http://authority" off an absolute target; returns the rest, which begins with '/', or
 * NULL. The authority moves one byte to the left: the byte gained ends it, and the '/' behind it
 * stays.
 */
static char *take_authority(struct http_parser *p, char *target)
{
    static const char scheme[] = "http://";
    if (strncasecmp(target, scheme, strlen(scheme)) != 0)
        return NULL;
    char *authority = target + strlen(scheme);
    size_t len = strcspn(authority, "/?");
    if (len == 0 || authority[len] != '/')
        return NULL;
    memmove(authority - 1, authority, len);
    authority[len - 1] = '\0';
    p->authority = authority - 1;
    return authority + len;
}

static int take_target(struct http_parser *p, char *target)
{
    if (strlen(target) > HTTP_TARGET_MAX)
        return fault(p, 414, "the target is longer than 4096 bytes");
    char *path = *target == '/' ? target : take_authority(p, target);
    if (!path)
        return fault(p, 400, "the target is not a path");
    char *query = cut(path, '?');
    p->fault = http_path_decode(path);
    if (!p->fault && query)
        p->fault = http_query_check(query);
    if (p->fault)
        return 400;
    p->head.path = path;
    p->head.query = query ? query : "";
    return 0;
}

static int request_line(struct http_parser *p, char *line)
{
    char *target = cut(line, ' ');
    char *version = target ? cut(target, ' ') : NULL;
    if (!version)
        return fault(p, 400, "the request line is not METHOD TARGET HTTP/1.1");
    int status = take_method(p, line);
    if (!status)
        status = take_version(p, version);
    return status ? status : take_target(p, target);
}

/* --- headers ---------------------------------------------------------------------------------- */

static int take_host(struct http_parser *p, const char *value)
{
    struct http_host host;
    if (p->head.host)
        return fault(p, 400, "there is more than one Host header");
    if (http_host_parse(value, &host) < 0)
        return fault(p, 400, "the Host header is not a host");
    p->head.host = value;
    return 0;
}

static int take_length(struct http_parser *p, const char *value)
{
    if (p->head.has_length)
        return fault(p, 400, "there is more than one Content-Length header");
    if (!*value || value[strspn(value, "0123456789")])
        return fault(p, 400, "the Content-Length header is not a number");
    for (const char *digit = value; *digit; digit++)
        if (__builtin_mul_overflow(p->head.content_length, 10, &p->head.content_length) ||
            __builtin_add_overflow(p->head.content_length, *digit - '0', &p->head.content_length))
            return fault(p, 413, "the body is too large");
    p->head.has_length = true;
    return 0;
}

static int refuse_coding(struct http_parser *p, const char *value)
{
    (void)value;
    return fault(p, 501, "bodies with a Transfer-Encoding are not taken; send a Content-Length");
}

/* Whether a comma-separated list has this option. */
static bool lists(const char *list, const char *option)
{
    size_t len;
    while (list += strspn(list, " \t,"), len = strcspn(list, " \t,")) {
        if (len == strlen(option) && strncasecmp(list, option, len) == 0)
            return true;
        list += len;
    }
    return false;
}

static int take_connection(struct http_parser *p, const char *value)
{
    p->closes |= lists(value, "close");
    p->keeps |= lists(value, "keep-alive");
    return 0;
}

static int take_expectation(struct http_parser *p, const char *value)
{
    if (strcasecmp(value, "100-continue") != 0)
        return fault(p, 417, "the Expect header asks for something unknown");
    p->head.expects_continue = p->minor > 0; /* an older client could not read the 100 */
    return 0;
}

/* The headers that decide where a request ends and whom it is for; all others are only kept. */
static const struct {
    const char *name;
    int (*take)(struct http_parser *p, const char *value);
} rules[] = {
    {"connection", take_connection},      {"content-length", take_length},
    {"expect", take_expectation},         {"host", take_host},
    {"transfer-encoding", refuse_coding},
};

static int header_line(struct http_parser *p, char *line)
{
    struct http_head *head = &p->head;
    if (*line == ' ' || *line == '\t')
        return fault(p, 400, "a header line is folded");
    char *value = cut(line, ':');
    if (!value || !is_token(line))
        return fault(p, 400, "a header line is not \"name: value\"");
    if (head->header_count == HTTP_HEADERS_MAX)
        return fault(p, 431, "there are more than 64 headers");
    for (char *c = line; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 'a' - 'A';
    value = trim(value);
    head->headers[head->header_count++] = (struct http_header){line, value};
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (strcmp(line, rules[i].name) == 0)
            return rules[i].take(p, value);
    return 0;
}

static int end_of_head(struct http_parser *p)
{
    struct http_head *head = &p->head;
    if (!head->host && p->minor > 0)
        return fault(p, 400, "the Host header is missing");
    if (p->authority && (!head->host || strcasecmp(p->authority, head->host) != 0))
        return fault(p, 400, "the target is on another host than the Host header says");
    head->keep_alive = !p->closes && (p->keeps || p->minor > 0);
    return 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* The text's end is a complete line. */
static int take_line(struct http_parser *p)
{
    char *line = p->text + p->line;
    bool first = p->line == 0;
    p->text[p->len - strlen("\r\n")] = '\0';
    p->line = p->len;

    if (p->head.path && !*line)
        return end_of_head(p);
    int status = 0;
    if (p->head.path)
        status = header_line(p, line);
    else if (*line || !first) /* RFC 9112, 2.2: one empty line before a request is passed over */
        status = request_line(p, line);
    return status ? status : HTTP_MORE;
}

static int take_byte(struct http_parser *p, unsigned char c)
{
    bool after_return = p->len > 0 && p->text[p->len - 1] == '\r';
    if (after_return != (c == '\n'))
        return fault(p, 400, "a line does not end in CR LF");
    if ((c < ' ' && !strchr("\t\r\n", c)) || c == 0x7f || c == '\0')
        return fault(p, 400, "there is a control character in the head");
    if (!p->head.path && p->len - p->line == REQUEST_LINE_MAX)
        return fault(p, 414, "the target is longer than 4096 bytes");
    if (p->len == HTTP_HEAD_MAX)
        return fault(p, 431, "the head is longer than 8192 bytes");
    p->text[p->len++] = (char)c;
    return c == '\n' ? take_line(p) : HTTP_MORE;
}

void http_parser_reset(struct http_parser *p)
{
    memset(p, 0, offsetof(struct http_parser, text));
}

int http_parse(struct http_parser *p, const void *data, size_t len, size_t *ret_used)
{
    const unsigned char *bytes = data;
    int status = HTTP_MORE;
    size_t used = 0;
    while (status == HTTP_MORE && used < len)
        status = take_byte(p, bytes[used++]);
    *ret_used = used;
    return status;
}

const char *http_header_get(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (strcmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    return NULL;
}
