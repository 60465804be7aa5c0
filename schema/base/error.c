#include "schema/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

/* What is not named here may pass by itself: trying again is safe, giving up is not. */
static const struct {
    int errnum;
    enum error_class class;
} classes[] = {
    {EPERM, ERROR_INPUT},           {EACCES, ERROR_INPUT},       {EROFS, ERROR_INPUT},
    {EINVAL, ERROR_INPUT},          {EDOM, ERROR_INPUT},         {ERANGE, ERROR_INPUT},
    {ENOENT, ERROR_INPUT},          {ENOTDIR, ERROR_INPUT},      {EISDIR, ERROR_INPUT},
    {ELOOP, ERROR_INPUT},           {ENAMETOOLONG, ERROR_INPUT}, {EFBIG, ERROR_INPUT},
    {ENOTSUP, ERROR_INPUT},         {ENOSYS, ERROR_INPUT},       {EAFNOSUPPORT, ERROR_INPUT},
    {EPROTONOSUPPORT, ERROR_INPUT}, {EADDRINUSE, ERROR_INPUT},   {EADDRNOTAVAIL, ERROR_INPUT},
    {EEXIST, ERROR_CONFLICT},
};

enum error_class error_class_of(int errnum)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i].errnum == errnum)
            return classes[i].class;
    return ERROR_TRANSIENT;
}

static int set(struct error **reterr, enum error_class class, int errnum, char *message)
{
    assert(reterr && errnum > 0);
    struct error *error = mem_alloc(sizeof(*error));
    *error = (struct error){.class = class, .errnum = errnum, .message = message};
    *reterr = error;
    return -errnum;
}

__attribute__((format(printf, 1, 0))) static char *sentence(const char *format, va_list args)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    return strbuf_steal(&text);
}

int error_make(struct error **reterr, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = sentence(format, args);
    va_end(args);
    return set(reterr, error_class_of(errnum), errnum, message);
}

int error_make_class(struct error **reterr, enum error_class class, int errnum, const char *format,
                     ...)
{
    va_list args;
    va_start(args, format);
    char *message = sentence(format, args);
    va_end(args);
    return set(reterr, class, errnum, message);
}

int error_errno(struct error **reterr, int errnum, const char *format, ...)
{
    char buf[128];
    va_list args;
    va_start(args, format);
    MEM_AUTO char *what = sentence(format, args);
    va_end(args);
    char *message = mem_printf("%s: %s", what, strerror_r(errnum, buf, sizeof(buf)));
    return set(reterr, error_class_of(errnum), errnum, message);
}

int error_wrap(struct error **reterr, const char *format, ...)
{
    assert(reterr && *reterr);
    struct error *error = *reterr;
    va_list args;
    va_start(args, format);
    MEM_AUTO char *context = sentence(format, args);
    va_end(args);
    char *message = mem_printf("%s: %s", context, error->message);
    free(error->message);
    error->message = message;
    return -error->errnum;
}

void error_free(struct error *error)
{
    if (!error)
        return;
    free(error->message);
    free(error);
}
