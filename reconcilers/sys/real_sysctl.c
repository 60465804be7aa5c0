#include "reconcilers/sys/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "schema/base/strbuf.h"

enum { NUMBER_TEXT_MAX = 32 };

/* A descriptor, or a negative errno value. The thread's own network namespace is shown there. */
static int open_setting(const char *name, int flags)
{
    STRBUF_AUTO path = STRBUF_INIT;
    strbuf_printf(&path, "/proc/sys/%s", name);
    int fd = open(path.text, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int read_number(int fd, long *ret)
{
    char text[NUMBER_TEXT_MAX], *end;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    if (len < 0)
        return -errno;
    text[len] = '\0';
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || (*end != '\0' && *end != '\n') || errno)
        return -EINVAL; /* several numbers, or words */
    *ret = value;
    return 0;
}

int real_sysctl_get(void *side, const char *name, long *ret, struct error **reterr)
{
    (void)side;
    int fd = open_setting(name, O_RDONLY);
    if (fd == -ENOENT)
        return SYS_ABSENT;
    int r = fd < 0 ? fd : read_number(fd, ret);
    if (fd >= 0)
        close(fd);
    return r < 0 ? error_errno(reterr, -r, "cannot read the setting \"%s\"", name) : 0;
}

int real_sysctl_set(void *side, const char *name, long value, struct error **reterr)
{
    (void)side;
    char text[NUMBER_TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%ld", value);
    int fd = open_setting(name, O_WRONLY);
    if (fd == -ENOENT)
        return SYS_ABSENT;
    int r = fd < 0 ? fd : 0;
    if (fd >= 0 && write(fd, text, (size_t)len) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    return r < 0 ? error_errno(reterr, -r, "cannot set \"%s\" to %ld", name, value) : 0;
}
