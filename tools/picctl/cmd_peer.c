#include "tools/picctl/command.h"

static const struct command *const below[] = {
    &cmd_peer_add, &cmd_peer_set, &cmd_peer_config, &cmd_peer_rekey, NULL,
};

const struct command cmd_peer = {
    .name = "peer",
    .arguments = "VERB NAME",
    .help = "adds and changes devices: add, set, config, rekey",
    .below = below,
};
