#include "controller/loop/listen.h"

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

void listeners_follow(struct listeners *l, struct http_server *server, const struct cell_spec *cell,
                      const struct log *log)
{
    struct wanted wanted = {0};
    for (uint32_t i = 0; i < cell->api_listen.count; i++)
        expand(&wanted, list_text(&cell->api_listen, i), cell);
    close_unwanted(l, server, &wanted);
    l->addresses = mem_resize(l->addresses, (l->count + wanted.count + 1) * sizeof(char *));
    const char *names[] = {"localhost", cell->domain};
    http_server_set_hosts(server, names, ARRAY_SIZE(names));
    for (size_t i = 0; i < wanted.count; i++) {
        ERROR_AUTO error = NULL;
        if (contains(l->addresses, l->count, wanted.list[i])) {
            free(wanted.list[i]);
            continue;
        }
        if (http_server_listen_tcp(server, wanted.list[i], &error) < 0) {
            log_line(log, LOG_LEVEL_WARNING, "cannot-listen", "address", wanted.list[i], "error",
                     error->message, NULL);
            free(wanted.list[i]);
            continue;
        }
        l->addresses[l->count++] = wanted.list[i];
    }
}

void listeners_clear(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->addresses[i]);
    mem_freep(&l->addresses);
    l->count = 0;
}
