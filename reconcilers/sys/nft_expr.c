#include "reconcilers/sys/nft_expr.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "reconcilers/sys/nft_shapes.h"
#include "reconcilers/sys/nft_value.h"
#include "schema/base/mem.h"

/* ---- members --------------------------------------------------------------------------------- */

static uint32_t member_of(const struct nft_instr *instr, const struct nft_field *field)
{
    uint16_t wide;
    const uint8_t *at = (const uint8_t *)instr + field->member;
    if (field->size == sizeof(uint8_t))
        return *at;
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

/* False: it does not fit, or another attribute said something else. */
static bool set_member(struct nft_instr *instr, const struct nft_field *field, uint64_t value)
{
    uint8_t *at = (uint8_t *)instr + field->member;
    uint32_t before = member_of(instr, field);
    uint16_t wide = (uint16_t)value;
    if (value >> 8 * field->size || (before && before != value))
        return false;
    if (field->size == sizeof(uint8_t))
        *at = (uint8_t)value;
    else
        memcpy(at, &wide, sizeof(wide));
    return true;
}

static void *bytes_of(const struct nft_instr *instr, const struct nft_field *field)
{
    return (uint8_t *)instr + field->member;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool put_choice(struct nlmsghdr *msg, const struct nft_field *field, uint32_t index)
{
    const struct nft_choices *choices = field->choices;
    uint32_t value = index < choices->count ? choices->values[index] : NFT_NOT_SAID;
    if (value == NFT_NOT_SAID)
        return field->form == FORM_OPTIONAL_BYTE && index == 0;
    if (field->form == FORM_CHOICE)
        nfnl_put_number(msg, field->attr, value);
    else
        mnl_attr_put_u8(msg, field->attr, (uint8_t)value);
    return true;
}

static bool put_data(struct nlmsghdr *msg, const struct nft_field *field,
                     const struct nft_instr *instr)
{
    if (instr->len == 0 || instr->len > NFT_DATA_SIZE)
        return false;
    nft_value_put(msg, field->attr, bytes_of(instr, field), instr->len);
    return true;
}

static bool put_field(struct nlmsghdr *msg, const struct nft_field *field,
                      const struct nft_instr *instr)
{
    switch ((enum nft_form)field->form) {
    case FORM_NUMBER:
        nfnl_put_number(msg, field->attr, member_of(instr, field));
        return true;
    case FORM_BYTE:
        mnl_attr_put_u8(msg, field->attr, (uint8_t)member_of(instr, field));
        return true;
    case FORM_REGISTER:
        nfnl_put_number(msg, field->attr, member_of(instr, field));
        return member_of(instr, field) != NFT_REG_VERDICT;
    case FORM_CHOICE:
    case FORM_OPTIONAL_BYTE:
        return put_choice(msg, field, member_of(instr, field));
    case FORM_FIXED:
        nfnl_put_number(msg, field->attr, field->value);
        return true;
    case FORM_FIXED_BYTE:
        mnl_attr_put_u8(msg, field->attr, (uint8_t)field->value);
        return true;
    case FORM_TOLD:
        return true;
    case FORM_DATA:
        return put_data(msg, field, instr);
    case FORM_NAME:
        mnl_attr_put_strz(msg, field->attr, instr->name);
        return instr->name[0] != '\0';
    case FORM_VERDICT:
        return nft_verdict_put(msg, field->attr, instr->key, instr->name);
    }
    return false;
}

static bool put_shape(struct nlmsghdr *msg, const struct nft_shape *shape,
                      const struct nft_instr *instr)
{
    uint32_t before = msg->nlmsg_len;
    struct nlattr *element = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
    mnl_attr_put_strz(msg, NFTA_EXPR_NAME, shape->name);
    struct nlattr *data = mnl_attr_nest_start(msg, NFTA_EXPR_DATA);
    bool fits = !shape->only_seen;
    for (size_t i = 0; fits && i < NFT_FIELDS_MAX && shape->fields[i].attr; i++)
        fits = put_field(msg, &shape->fields[i], instr);
    mnl_attr_nest_end(msg, data);
    mnl_attr_nest_end(msg, element);
    if (!fits)
        msg->nlmsg_len = before;
    return fits;
}

bool nft_expr_put(struct nlmsghdr *msg, const struct nft_instr *instr)
{
    for (size_t i = 0; i < nft_shape_count; i++)
        if (nft_shapes[i].op == instr->op && put_shape(msg, &nft_shapes[i], instr))
            return true;
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool find_choice(const struct nft_choices *choices, uint32_t value, uint64_t *retindex)
{
    for (uint8_t i = 0; i < choices->count; i++) {
        if (choices->values[i] == value) {
            *retindex = i;
            return true;
        }
    }
    *retindex = choices->count;
    return choices->rest;
}

static bool get_data(const struct nlattr *nest, const struct nft_field *field,
                     struct nft_instr *ret)
{
    size_t len = nft_value_get(nest, bytes_of(ret, field), NFT_DATA_SIZE);
    if (len == 0 || (ret->len && ret->len != len))
        return false;
    ret->len = (uint16_t)len;
    return true;
}

static bool get_field(const struct nlattr *attr, const struct nft_field *field,
                      struct nft_instr *ret)
{
    uint64_t value = 0;
    bool said = nfnl_number(attr, &value);
    switch ((enum nft_form)field->form) {
    case FORM_NUMBER:
    case FORM_BYTE:
        return said && set_member(ret, field, value);
    case FORM_REGISTER:
        return said && value != NFT_REG_VERDICT && set_member(ret, field, value);
    case FORM_CHOICE:
        return said && find_choice(field->choices, (uint32_t)value, &value) &&
               set_member(ret, field, value);
    case FORM_OPTIONAL_BYTE:
        return !attr || (said && find_choice(field->choices, (uint32_t)value, &value) &&
                         set_member(ret, field, value));
    case FORM_FIXED:
    case FORM_FIXED_BYTE:
    case FORM_TOLD:
        return value == field->value && (said || !attr);
    case FORM_DATA:
        return get_data(attr, field, ret);
    case FORM_NAME:
        return nfnl_text(attr, ret->name, sizeof(ret->name));
    case FORM_VERDICT:
        return nft_verdict_get(attr, &ret->key, ret->name);
    }
    return false;
}

static bool get_shape(const struct nfnl_attrs *attrs, const struct nft_shape *shape,
                      struct nft_instr *ret)
{
    unsigned used = 0;
    *ret = (struct nft_instr){.op = (uint8_t)shape->op, .key = shape->key};
    for (size_t i = 0; i < NFT_FIELDS_MAX && shape->fields[i].attr; i++) {
        const struct nlattr *attr = attrs->at[shape->fields[i].attr];
        if (!get_field(attr, &shape->fields[i], ret))
            return false;
        used += attr != NULL;
    }
    return shape->loose || used == attrs->count;
}

void nft_expr_get(const struct nlattr *name, const struct nlattr *data, struct nft_instr *ret)
{
    struct nfnl_attrs attrs;
    nfnl_attrs_of(data, &attrs);
    for (size_t i = 0; i < nft_shape_count; i++)
        if (nfnl_text_is(name, nft_shapes[i].name) && get_shape(&attrs, &nft_shapes[i], ret))
            return;
    *ret = (struct nft_instr){.op = NFT_OP_OTHER};
}
