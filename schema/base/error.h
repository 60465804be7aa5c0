/*
 * Errors are values: what failed, in words, with the chain of contexts it passed through.
 *
 * A function that can fail returns int: < 0 an error (a negative errno value) and *reterr set,
 * 0 done, > 0 a named condition that the caller must handle. `reterr` is always the last parameter,
 * must not be NULL, and is untouched on success. Whoever receives an error owns it and frees it
 * with error_free(), or hands it on, usually after error_wrap().
 *
 * Sentence style: lower case, no full stop; what failed first, the subject in quotes, what to do:
 *
 *     cannot open "/etc/pic/secrets/wireguard.key": permission denied; run as root
 */
#pragma once

#include <stdarg.h>

enum error_class {
    ERROR_TRANSIENT, /* may succeed by itself later: retried with back-off, for ever */
    ERROR_INPUT,     /* a person must change something: retried when an input changes */
    ERROR_CONFLICT,  /* somebody else's object is in the way: retried slowly, never fought over */
};

struct error {
    enum error_class class;
    int errnum;    /* positive errno value, never 0 */
    char *message; /* the whole sentence, outermost context first */
};

/* Makes an error of the class that errnum usually has (see error_class_of()); returns -errnum. */
int error_make(struct error **reterr, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the class said. */
int error_make_class(struct error **reterr, enum error_class class, int errnum, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* Like error_make(), with ": <strerror(errnum)>" appended. */
int error_errno(struct error **reterr, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the message of *reterr; returns -(*reterr)->errnum, so that it can be
 * returned in one line. */
int error_wrap(struct error **reterr, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* EPERM, EACCES, ENOENT, EADDRINUSE, EINVAL… need a person; EEXIST is a conflict; ENOBUFS, EAGAIN,
 * ETIMEDOUT and all that are not known pass. */
enum error_class error_class_of(int errnum);

/* Takes NULL. */
void error_free(struct error *error);

static inline void error_freep(struct error **error)
{
    error_free(*error);
}
#define ERROR_AUTO __attribute__((cleanup(error_freep))) struct error *
