/*
 * The service manager's notifications (sd_notify(3)), without its library: one datagram each.
 */
#pragma once

#include <stdint.h>

/* Sends "READY=1" and the like; nothing happens where nobody asked for it. */
void notify_send(const char *state);
/* Microseconds of the watchdog that systemd set for us, or 0. */
uint64_t notify_watchdog(void);
