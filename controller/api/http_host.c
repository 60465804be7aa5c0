#include "controller/api/http_host.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* "", ":" or ":digits". */
static bool is_port(const char *text)
{
    enum { DIGITS_MAX = 5 };
    if (*text == '\0')
        return true;
    size_t digits = strspn(text + 1, "0123456789");
    return *text == ':' && digits <= DIGITS_MAX && text[1 + digits] == '\0';
}

static int copy_name(const char *text, size_t len, struct http_host *ret)
{
    if (len > HTTP_HOST_NAME_MAX)
        return -EINVAL;
    memcpy(ret->name, text, len);
    ret->name[len] = '\0';
    return 0;
}

static int parse_bracketed(const char *text, struct http_host *ret)
{
    size_t len = strcspn(text + 1, "]");
    if (text[1 + len] != ']' || !is_port(text + 1 + len + 1) || copy_name(text + 1, len, ret) < 0)
        return -EINVAL;
    if (ip_parse(ret->name, &ret->ip) < 0 || ret->ip.family != AF_INET6)
        return -EINVAL;
    ret->name[0] = '\0';
    return 0;
}

static int parse_plain(const char *text, struct http_host *ret)
{
    static const char characters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "-._";
    size_t len = strspn(text, characters);
    if (!is_port(text + len) || copy_name(text, len, ret) < 0)
        return -EINVAL;
    if (ip_parse(ret->name, &ret->ip) == 0)
        ret->name[0] = '\0';
    else if (len && ret->name[len - 1] == '.')
        ret->name[len - 1] = '\0';
    return 0;
}

int http_host_parse(const char *text, struct http_host *ret)
{
    struct http_host host = {0};
    int r = *text == '[' ? parse_bracketed(text, &host) : parse_plain(text, &host);
    if (r == 0)
        *ret = host;
    return r;
}

bool http_host_is_ours(const char *text, const struct ip *local, char *const *names, size_t count)
{
    struct http_host host;
    if (!text || http_host_parse(text, &host) < 0)
        return false;
    if (host.ip.family)
        return ip_equal(&host.ip, local);
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(host.name, names[i]) == 0)
            return true;
    return false;
}
