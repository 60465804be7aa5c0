#include "schema/base/hex.h"

#include <errno.h>
#include <string.h>

const char *hex_format(const uint8_t *bytes, size_t len, char *buf)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buf[2 * i] = digits[bytes[i] >> 4];
        buf[2 * i + 1] = digits[bytes[i] & 15];
    }
    buf[2 * len] = '\0';
    return buf;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_parse(const char *text, uint8_t *ret, size_t len)
{
    if (strlen(text) != 2 * len)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
