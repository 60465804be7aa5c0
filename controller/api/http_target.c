#include "controller/api/http_target.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "schema/base/hex.h"

/* The next character of an encoded text, and *at moved behind it; -1 when there is none. */
static int decode(const char **at)
{
    uint8_t c = (uint8_t)(*at)[0];
    size_t len = 1;
    if (c == '%') {
        char digits[3] = "";
        memcpy(digits, *at + 1, strnlen(*at + 1, 2));
        if (hex_parse(digits, &c, 1) < 0)
            return -1;
        len = 3;
    } else if (c == '#') {
        return -1;
    }
    *at += len;
    return c >= ' ' && c <= '~' ? c : -1;
}

static const char bad_character[] = "the target has a bad escape or a character that is not "
                                    "printable ASCII";

const char *http_query_check(const char *query)
{
    while (*query)
        if (decode(&query) < 0)
            return bad_character;
    return NULL;
}

static bool is_dots(const char *segment, size_t len)
{
    return (len == 1 || len == 2) && strncmp(segment, "..", len) == 0;
}

const char *http_path_decode(char *path)
{
    char *out = path;
    for (const char *in = path; *in;) {
        int c = decode(&in);
        if (c < 0)
            return bad_character;
        *out++ = (char)c;
    }
    *out = '\0';

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        if (is_dots(slash + 1, strcspn(slash + 1, "/")))
            return "the path has a segment of dots";
    return NULL;
}

static int decode_parameter(const char **at)
{
    if (**at != '+')
        return decode(at);
    ++*at;
    return ' ';
}

/* Whether the parameter at *at has this name; *at moves to its end in either case, or behind '='.
 */
static bool take_name(const char **at, const char *name)
{
    bool same = true;
    while (!strchr("&=", **at)) {
        same = same && *name && decode_parameter(at) == (unsigned char)*name;
        if (same)
            name++;
        else
            *at += strcspn(*at, "&=");
    }
    return same && !*name;
}

bool http_query_get(const char *query, const char *name, struct strbuf *ret)
{
    while (*query) {
        if (take_name(&query, name)) {
            query += *query == '=';
            while (*query && *query != '&')
                strbuf_putc(ret, (char)decode_parameter(&query));
            return true;
        }
        query += strcspn(query, "&");
        query += *query == '&';
    }
    return false;
}
