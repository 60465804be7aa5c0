#include "tools/picctl/qr.h"

#include <errno.h>
#include <limits.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET = 4 };

static bool is_light(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return true;
    return !(code->data[y * code->width + x] & 1);
}

/* Below the last row of an odd number the background shows, beyond the quiet zone. */
static void put_pair(bool upper, bool lower, struct strbuf *out)
{
    static const char *const blocks[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};
    strbuf_puts(out, blocks[upper][lower]);
}

static void put_code(const QRcode *code, bool colour, struct strbuf *out)
{
    int end = code->width + QUIET;
    for (int y = -QUIET; y < end; y += 2) {
        if (colour)
            strbuf_puts(out, "\033[97;40m"); /* white blocks on black, whatever the theme */
        for (int x = -QUIET; x < end; x++)
            put_pair(is_light(code, x, y), y + 1 < end && is_light(code, x, y + 1), out);
        strbuf_puts(out, colour ? "\033[0m\n" : "\n");
    }
}

/* The config is in the code as it is in the text: not left behind in freed memory. */
static void forget(QRcode *code)
{
    explicit_bzero(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
}

int qr_print(const void *data, size_t len, bool colour, struct strbuf *out, struct error **reterr)
{
    errno = ERANGE;
    QRcode *code = len > INT_MAX ? NULL : QRcode_encodeData((int)len, data, 0, QR_ECLEVEL_L);
    if (!code && errno == ERANGE)
        return error_make(reterr, EFBIG, "%zu bytes are more than a QR code holds", len);
    if (!code)
        return error_errno(reterr, errno, "cannot make the QR code");
    put_code(code, colour, out);
    forget(code);
    return 0;
}
