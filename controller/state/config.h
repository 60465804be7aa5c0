/*
 * Where everything lies: the flags that picd and picctl share, and the configuration file with the
 * same names.
 */
#pragma once

#include <stdbool.h>

#include "schema/base/error.h"

struct config {
    char *manifests; /* /etc/pic/manifests */
    char *secrets;   /* /etc/pic/secrets */
    char *state;     /* /var/lib/pic */
    char *run;       /* /run/pic */
    char *cell;      /* NULL: the only one in the tree */
    char *log_level; /* NULL: what the Cell says */
};

#define CONFIG_FILE "/etc/pic/picd.conf"

void config_init(struct config *config);
void config_clear(struct config *config);

/* Reads `name = value` lines ('#' comments). An absent file is an error only if `required`. */
int config_read(struct config *config, const char *path, bool required, struct error **reterr);

/* Takes "--name value" or "--name=value" at argv[*i], moving *i over a separate value. Returns 1
 * taken, 0 not one of ours, < 0 the value is missing. */
int config_flag(struct config *config, int argc, char **argv, int *i, struct error **reterr);

/* What picd writes must not lie among the manifests: it would be read as manifests, and each write
 * would wake picd. Below a hidden directory, which is not read, it may. */
int config_check(const struct config *config, struct error **reterr);
