#include "controller/state/identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/kinds/cell.h"

#define ID_FILE "cell.id"

struct finder {
    struct sys *sys;
    const char *secrets;
    const struct resource *cell;
    const struct cell_spec *spec;
    const struct wgkey *recorded;
    bool may_write;
    bool link_ours; /* an interface with our mark is live */
    char link_id[33];
    struct identity *identity;
};

void identity_clear(struct identity *identity)
{
    wgkey_wipe(&identity->private_key);
    mem_freep(&identity->lost);
}

/* ---- the id ---- */

static bool id_valid(const char *text, size_t len)
{
    return len == 32 && strspn(text, "0123456789abcdef") >= 32;
}

static int look_at_link(struct finder *f, struct error **reterr)
{
    struct sys_link link;
    int result = sys_link_get(f->sys, f->spec->interface, &link, reterr);
    if (result != 0)
        return result < 0 ? result : 0;
    f->link_ours = link.group == SYS_OWNER;
    if (strncmp(link.alias, "pic:", 4) == 0 && id_valid(link.alias + 4, strlen(link.alias + 4)))
        memcpy(f->link_id, link.alias + 4, sizeof(f->link_id));
    return 0;
}

static void make_id(char ret[static 33])
{
    struct wgkey random;
    wgkey_generate_psk(&random);
    for (size_t i = 0; i < 16; i++)
        snprintf(ret + 2 * i, 3, "%02x", random.bytes[i]);
}

static int find_id(struct finder *f, struct error **reterr)
{
    STRBUF_AUTO text = STRBUF_INIT;
    struct error *error = NULL;
    if (io_read_secret(f->secrets, ID_FILE, &text, &error) == 0) {
        while (text.len && isspace((unsigned char)text.text[text.len - 1]))
            text.text[--text.len] = '\0';
        if (!id_valid(text.text, text.len))
            return error_make(reterr, EINVAL,
                              "\"%s/" ID_FILE "\" does not hold 32 hexadecimal digits: restore it "
                              "from a backup",
                              f->secrets);
        memcpy(f->identity->cell_id, text.text, sizeof(f->identity->cell_id));
        return 0;
    }
    if (error->errnum != ENOENT) {
        *reterr = error;
        return -error->errnum;
    }
    error_free(error);
    if (f->link_ours && *f->link_id)
        memcpy(f->identity->cell_id, f->link_id, sizeof(f->identity->cell_id));
    else
        make_id(f->identity->cell_id);
    return f->may_write ? io_write_secret(f->secrets, ID_FILE, f->identity->cell_id, 32, reterr)
                        : 0;
}

/* ---- the key ---- */

static bool written_key(const struct finder *f, const struct wgkey **ret)
{
    *ret = &f->spec->public_key;
    return resource_has(f->cell, CELL_public_key);
}

/* A key that others do not know this cell by is not taken in silence. */
static char *contradiction(const struct finder *f, const struct wgkey *public_key)
{
    char is[WGKEY_TEXT_LEN + 1], was[WGKEY_TEXT_LEN + 1];
    const struct wgkey *written;
    wgkey_format(public_key, is);
    if (written_key(f, &written)) {
        if (wgkey_equal(written, public_key))
            return NULL;
        return mem_printf(
            "the private key \"%s/%s\" belongs to the public key %s, but "
            "wireguard.publicKey says %s: restore the right file, or change the field",
            f->secrets, f->spec->private_key, is, wgkey_format(written, was));
    }
    if (f->recorded && !wgkey_equal(f->recorded, public_key))
        return mem_printf(
            "the private key \"%s/%s\" is another than before (its public key is %s, it "
            "was %s): restore the old file, or write wireguard.publicKey: %s to take "
            "the new one",
            f->secrets, f->spec->private_key, is, wgkey_format(f->recorded, was), is);
    return NULL;
}

static int accept_key(struct finder *f)
{
    struct wgkey public_key;
    wgkey_public(&f->identity->private_key, &public_key);
    f->identity->lost = contradiction(f, &public_key);
    return 0;
}

static int write_key(struct finder *f, struct error **reterr)
{
    char text[WGKEY_TEXT_LEN + 2];
    if (!f->may_write)
        return 0;
    wgkey_format(&f->identity->private_key, text);
    text[WGKEY_TEXT_LEN] = '\n';
    int result =
        io_write_secret(f->secrets, f->spec->private_key, text, WGKEY_TEXT_LEN + 1, reterr);
    mem_wipe(text, sizeof(text));
    return result;
}

static void ignore_peer(const struct sys_wg_peer *peer, void *context)
{
    (void)peer, (void)context;
}

/* The live device still knows the key that the file has lost: 1 found. */
static int read_live_key(struct finder *f, struct error **reterr)
{
    struct sys_wg_device device = {0};
    if (!f->link_ours)
        return 0;
    int result = sys_wg_get(f->sys, f->spec->interface, &device, ignore_peer, NULL, reterr);
    if (result < 0)
        return result;
    if (result == SYS_ABSENT || wgkey_is_zero(&device.private_key))
        return 0;
    f->identity->private_key = device.private_key;
    wgkey_wipe(&device.private_key);
    return 1;
}

static int replace_missing_key(struct finder *f, struct error **reterr)
{
    const struct wgkey *written;
    int result = read_live_key(f, reterr);
    if (result < 0)
        return result;
    if (result > 0) {
        accept_key(f);
        return f->identity->lost ? 0 : write_key(f, reterr);
    }
    if (f->recorded || written_key(f, &written) || f->link_ours) {
        f->identity->lost = mem_printf(
            "the private key \"%s/%s\" is missing, and this cell has had one: restore the "
            "file from a backup; for a new identity delete \"%s\" and write no "
            "wireguard.publicKey",
            f->secrets, f->spec->private_key, "allocations.json in the state directory");
        return 0;
    }
    wgkey_generate_private(&f->identity->private_key);
    return write_key(f, reterr);
}

static int find_key(struct finder *f, struct error **reterr)
{
    STRBUF_AUTO text = STRBUF_INIT;
    struct error *error = NULL;
    if (io_read_secret(f->secrets, f->spec->private_key, &text, &error) == 0) {
        int result = wgkey_parse(text.text, &f->identity->private_key);
        mem_wipe(text.text, text.len);
        if (result < 0)
            return error_make(reterr, EINVAL,
                              "\"%s/%s\" does not hold a WireGuard private key (44 characters of "
                              "base64): restore it from a backup",
                              f->secrets, f->spec->private_key);
        return accept_key(f);
    }
    if (error->errnum != ENOENT) {
        *reterr = error;
        return -error->errnum;
    }
    error_free(error);
    return replace_missing_key(f, reterr);
}

int identity_load(struct sys *sys, const char *secrets, const struct resource *cell,
                  const struct wgkey *recorded, enum identity_mode mode, struct identity *ret,
                  struct error **reterr)
{
    struct identity identity = {0};
    struct finder f = {
        .sys = sys,
        .secrets = secrets,
        .cell = cell,
        .spec = cell->spec,
        .recorded = recorded,
        .may_write = mode == IDENTITY_KEEP,
        .identity = &identity,
    };
    int result = look_at_link(&f, reterr);
    if (result == 0)
        result = find_id(&f, reterr);
    if (result == 0)
        result = find_key(&f, reterr);
    if (result < 0) {
        identity_clear(&identity);
        return error_wrap(reterr, "the cell's identity");
    }
    *ret = identity;
    return 0;
}
