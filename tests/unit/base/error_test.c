#include "schema/base/error.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "schema/base/mem.h"

static int open_key(struct error **reterr)
{
    return error_errno(reterr, EACCES, "cannot open \"%s\"", "wireguard.key");
}

static int start_interface(struct error **reterr)
{
    return open_key(reterr) < 0 ? error_wrap(reterr, "interface \"pic%d\"", 0) : 0;
}

Test(error, chain)
{
    ERROR_AUTO error = NULL;
    cr_expect_eq(start_interface(&error), -EACCES);
    cr_expect_eq(error_wrap(&error, "Cell/home"), -EACCES);
    cr_expect_str_eq(error->message, "Cell/home: interface \"pic0\": cannot open "
                                     "\"wireguard.key\": Permission denied");
    cr_expect_eq(error->errnum, EACCES);
    cr_expect_eq(error->class, ERROR_INPUT);
}

Test(error, class)
{
    static const struct {
        int errnum;
        enum error_class class;
    } rows[] = {
        {EPERM, ERROR_INPUT},         {EACCES, ERROR_INPUT},      {EINVAL, ERROR_INPUT},
        {EROFS, ERROR_INPUT},         {EADDRINUSE, ERROR_INPUT},  {ENOENT, ERROR_INPUT},
        {EEXIST, ERROR_CONFLICT},     {ENOBUFS, ERROR_TRANSIENT}, {EAGAIN, ERROR_TRANSIENT},
        {ETIMEDOUT, ERROR_TRANSIENT}, {EBUSY, ERROR_TRANSIENT},   {ENOSPC, ERROR_TRANSIENT},
        {EINTR, ERROR_TRANSIENT},     {4000, ERROR_TRANSIENT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ERROR_AUTO error = NULL;
        cr_expect_eq(error_make(&error, rows[i].errnum, "row %zu", i), -rows[i].errnum);
        cr_expect_eq(error->class, rows[i].class, "row %zu", i);
    }
    ERROR_AUTO said = NULL;
    cr_expect_eq(error_make_class(&said, ERROR_CONFLICT, EBUSY, "taken by %s", "dhcpd"), -EBUSY);
    cr_expect_eq(said->class, ERROR_CONFLICT);
    cr_expect_str_eq(said->message, "taken by dhcpd");
    error_free(NULL);
}
