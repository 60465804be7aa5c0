/*
 * What picd says: lines of key=value on stderr, with the journal's priority prefixes under systemd.
 */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    enum log_level level;
    int journal; /* stderr goes to systemd's journal */
};

void log_init(struct log *log);
/* "error", "warning", "info", "debug"; anything else: -1. */
int log_level_parse(const char *word);

/* One line: `event` is a word, then pairs of key and value, ended by NULL. Values with blanks are
 * quoted. */
void log_line(const struct log *log, enum log_level level, const char *event, ...)
    __attribute__((sentinel));
