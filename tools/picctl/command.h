/*
 * A verb of picctl: a const struct in cmd_<verb>.c and a row in the table of main.c. Its flags are
 * rows too: they drive reading the command line, its usage errors and `picctl help VERB`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "controller/state/config.h"

/* What stands on the command line besides flags. The words belong to argv. */
struct words {
    const char **list;
    size_t count, capacity;
};

enum flag_type {
    FLAG_SWITCH, /* bool: true when given */
    FLAG_TEXT,   /* const char *: NULL when not given */
    FLAG_TEXTS,  /* struct words: may be given several times */
};

struct flag {
    const char *name; /* "output" for --output */
    char letter;      /* 'o' for -o; 0: none */
    enum flag_type type;
    size_t offset;     /* of the member in the verb's options */
    const char *value; /* what the usage calls its value; NULL for a switch */
    const char *help;
};

#define FLAG(options, member, name_, letter_, type_, value_, help_)                                \
    {                                                                                              \
        .name = name_, .letter = letter_, .type = FLAG_##type_,                                    \
        .offset = offsetof(struct options, member), .value = value_, .help = help_                 \
    }

struct command {
    const char *name;
    const char *arguments; /* of the usage line: "KIND/NAME…" */
    const char *help;      /* one line, for the list of verbs */
    const char *more;      /* what else `picctl help VERB` says; NULL: nothing */
    const struct flag *flags;
    size_t flag_count;
    size_t options_size; /* of the struct that the flags fill */
    size_t least, most;  /* how many words it takes */

    /* Does it and returns the exit status. `options` is what the flags filled, zero where nothing
     * was given. All that fails is said on stderr by the verb itself, see out.h. */
    int (*run)(const struct config *config, const void *options, const struct words *words);

    const struct command *const
        *below; /* verbs below this one, as of `peer`; then there is no run() */
};

enum { WORDS_ANY = 100000 };

extern const struct command cmd_api_resources, cmd_apply, cmd_delete, cmd_describe, cmd_diff,
    cmd_get, cmd_init, cmd_peer, cmd_prune, cmd_resync, cmd_status, cmd_teardown, cmd_trace,
    cmd_validate, cmd_version;
extern const struct command cmd_peer_add, cmd_peer_config, cmd_peer_rekey, cmd_peer_set;
