#include "controller/loop/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/types.h"

struct wanted {
    char *list[32];
    size_t count;
};

static void want(struct wanted *wanted, char *address)
{
    if (wanted->count < ARRAY_SIZE(wanted->list))
        wanted->list[wanted->count++] = address;
    else
        free(address);
}

/* loopback:3000 is 127.0.0.1 and ::1; vpn:3000 is the cell's own address. */
static void expand(struct wanted *wanted, const char *listen, const struct cell_spec *cell)
{
    const char *port = strrchr(listen, ':') + 1;
    char text[ADDR_TEXT_MAX];
    struct ip own = cell_address(cell);

    if (strncmp(listen, "loopback:", 9) == 0) {
        want(wanted, mem_printf("127.0.0.1:%s", port));
        want(wanted, mem_printf("[::1]:%s", port));
    } else if (strncmp(listen, "vpn:", 4) == 0) {
        want(wanted, mem_printf("%s:%s", ip_format(&own, text), port));
    } else {
        want(wanted, mem_strdup(listen));
    }
}

static bool contains(char *const *list, size_t count, const char *address)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], address) == 0)
            return true;
    return false;
}

static void close_unwanted(struct listeners *l, struct http_server *server,
                           const struct wanted *wanted)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (contains(wanted->list, wanted->count, l->addresses[i])) {
            l->addresses[kept++] = l->addresses[i];
            continue;
        }
        http_server_unlisten(server, l->addresses[i]);
        free(l->addresses[i]);
    }
    l->count = kept;
}

/* A host without IPv6 has no ::1, and does not miss it. */
static bool is_missed(const char *address, const struct error *error)
{
    return strncmp(address, "[::1]:", 6) != 0 ||
           (error->errnum != EADDRNOTAVAIL && error->errnum != EAFNOSUPPORT);
}

/* Returns whether it listens there; else *problem says why not, unless nobody misses it. */
static bool listen_on(struct http_server *server, const char *address, char **problem)
{
    ERROR_AUTO error = NULL;
    if (http_server_listen_tcp(server, address, &error) >= 0)
        return true;
    if (!*problem && is_missed(address, error))
        *problem = mem_strdup(error->message);
    return false;
}

static void set_problem(struct listeners *l, char *problem, const struct log *log)
{
    if (problem && (!l->problem || strcmp(l->problem, problem) != 0))
        log_line(log, LOG_LEVEL_WARNING, "cannot-listen", "error", problem, NULL);
    mem_freep(&l->problem);
    l->problem = problem;
}

void listeners_follow(struct listeners *l, struct http_server *server, const struct cell_spec *cell,
                      const struct log *log)
{
    struct wanted wanted = {0};
    char *problem = NULL;
    for (uint32_t i = 0; i < cell->api_listen.count; i++)
        expand(&wanted, list_text(&cell->api_listen, i), cell);
    close_unwanted(l, server, &wanted);
    l->addresses = mem_resize(l->addresses, (l->count + wanted.count + 1) * sizeof(char *));
    const char *names[] = {"localhost", cell->domain};
    http_server_set_hosts(server, names, ARRAY_SIZE(names));
    for (size_t i = 0; i < wanted.count; i++) {
        if (!contains(l->addresses, l->count, wanted.list[i]) &&
            listen_on(server, wanted.list[i], &problem))
            l->addresses[l->count++] = wanted.list[i];
        else
            free(wanted.list[i]);
    }
    set_problem(l, problem, log);
}

void listeners_clear(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->addresses[i]);
    mem_freep(&l->addresses);
    mem_freep(&l->problem);
    l->count = 0;
}
