/*
 * Functions that must not be used: a use fails to compile, with what to use instead. Every C file
 * gets this header by -include (see CMakeLists.txt).
 *
 * The declarations come before those of the system headers on purpose: the attribute then holds for
 * all later ones, and inline definitions in system headers, which call nothing, stay legal.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define BANNED(instead) __attribute__((unavailable(instead)))

char *strcpy(char *, const char *) BANNED("use mem_strdup() or a strbuf");
char *strncpy(char *, const char *, size_t) BANNED("leaves text without an end; use mem_strndup()");
char *strcat(char *, const char *) BANNED("use strbuf_puts()");
char *strncat(char *, const char *, size_t) BANNED("use strbuf_add()");
char *strtok(char *, const char *) BANNED("keeps hidden state; use strcspn() or strtok_r()");
int sprintf(char *, const char *, ...) BANNED("use snprintf() or strbuf_printf()");
int vsprintf(char *, const char *, va_list) BANNED("use vsnprintf() or strbuf_vprintf()");
char *gets(char *) BANNED("use getline()");
int atoi(const char *) BANNED("cannot fail; use strtol() and check the end");
long atol(const char *) BANNED("cannot fail; use strtol() and check the end");
int system(const char *) BANNED("runs a shell; use posix_spawn()");
FILE *popen(const char *, const char *) BANNED("runs a shell; use posix_spawn()");

#undef BANNED

/* A macro over a builtin, out of reach of attributes. */
#include <alloca.h>
#undef alloca
#pragma GCC poison alloca
