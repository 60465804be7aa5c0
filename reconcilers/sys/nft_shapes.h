/*
 * The kernel's expressions and our instructions, side by side: one row a shape, one field an
 * attribute. nft_expr.c reads and writes by the same rows, so that what is written is read back as
 * it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconcilers/sys/nft.h"

/* A list of the kernel's numbers; the index is ours. */
struct nft_choices {
    const uint32_t *values;
    uint8_t count;
    bool rest; /* numbers that are not in the list read as `count` */
};

/* A place in a list that no number has. */
#define NFT_NOT_SAID UINT32_MAX

enum nft_form {
    FORM_NUMBER,        /* 4 bytes; the member is the number */
    FORM_BYTE,          /* 1 byte; the same */
    FORM_REGISTER,      /* 4 bytes, never 0 */
    FORM_CHOICE,        /* 4 bytes out of a list; the member is the index */
    FORM_OPTIONAL_BYTE, /* 1 byte out of a list; index 0: there is none */
    FORM_FIXED,         /* 4 bytes, always the same; 0 may be missing */
    FORM_FIXED_BYTE,
    FORM_TOLD,    /* like FORM_FIXED, but the kernel tells it only, and does not take it */
    FORM_DATA,    /* `len` bytes */
    FORM_NAME,    /* of a set */
    FORM_VERDICT, /* members `key` and `name` */
};

/* One attribute. Where two have the same member both have the same value. */
struct nft_field {
    uint8_t attr;         /* 0: behind the last */
    uint8_t form;         /* enum nft_form */
    uint8_t member, size; /* in struct nft_instr */
    uint32_t value;       /* FORM_FIXED, FORM_TOLD */
    const struct nft_choices *choices;
};

enum { NFT_FIELDS_MAX = 7 };

/*
 * An attribute that no field names makes it another shape, unless `loose` is set: then the rest
 * does not matter. Of the rows of an op the first that fits is written.
 */
struct nft_shape {
    enum nft_op op;
    const char *name; /* of the kernel's expression */
    bool loose;
    bool only_seen; /* never written */
    uint8_t key;    /* with only_seen: what it is read as */
    struct nft_field fields[NFT_FIELDS_MAX];
};

extern const struct nft_shape nft_shapes[];
extern const size_t nft_shape_count;
