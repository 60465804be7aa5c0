/*
 * The TCP side of the endpoint: follows api.listen of the Cell.
 */
#pragma once

#include "controller/api/http_server.h"
#include "controller/loop/log.h"
#include "schema/kinds/cell.h"

struct listeners {
    char **addresses; /* "address:port" that are listened on */
    size_t count;
    char *problem; /* why one of them cannot be; NULL: all are */
};

/* Opens what is new, closes what is gone. What cannot be opened is a problem, logged when it is
 * news, and tried at the next call. */
void listeners_follow(struct listeners *listeners, struct http_server *server,
                      const struct cell_spec *cell, const struct log *log);
void listeners_clear(struct listeners *listeners);
