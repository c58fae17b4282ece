/* yaml.h: YAML text as a tree whose every node knows its file, line and column.
 *
 * Read by settings_document.c and document.c; nothing here knows a key. A small YAML on purpose:
 * mappings with plain keys, lists and scalars. Refused: anchors, aliases and tags (they make one
 * text mean several), a key that appears twice in a mapping, control characters, and what goes
 * beyond the limits below. A document with a mistake does not spoil those after it.
 */
#ifndef GATEHOUSE_CONF_YAML_H
#define GATEHOUSE_CONF_YAML_H

#include "conf/diagnostic.h"

enum {
    YAML_SIZE_MAX = 16 * 1024 * 1024, /* bytes of a text: 100 000 documents fit */
    YAML_DEPTH_MAX = 32,              /* mappings and lists within each other */
    YAML_NODES_MAX = 2000000,         /* of a text */
    YAML_MEMBERS_MAX = 512,           /* keys of one mapping */
    YAML_BROKEN_MAX = 100,            /* syntax errors after which a text is given up */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    struct place place;
    struct slice text; /* a scalar's value; no NUL inside, one after it */
    bool plain;        /* a scalar without quotes: may be a number, true, false or null */
    bool broken;       /* of a document's root: only a part of it is here */
    struct slice key;  /* a mapping's member: its key */
    struct place key_place;
    struct yaml_node *first; /* of a mapping or list: its first member */
    struct yaml_node *next;  /* the next member, or the next document */
    size_t count;            /* of members */
};

/* The documents of a text, chained by `next`; NULL when there is none. Empty ones are left out.
 * What is wrong goes to `diagnostics`, and the document is marked broken. Memory is the arena's.
 * `file` is kept, not copied. */
struct yaml_node *yaml_read(struct slice text, struct slice file, struct arena *arena,
                            struct diagnostics *diagnostics);

/* The node at a path such as "metadata.name" from `node` on, or NULL. `node` may be NULL. */
const struct yaml_node *yaml_find(const struct yaml_node *node, const char *path);

/* A text, or a list of texts, checked by the schema, into out[0..room): how many. NULL: none. */
size_t yaml_strings(const struct yaml_node *node, struct slice *out, size_t room);

/* A plain, empty, ~ or null scalar: a key without a value. */
bool yaml_is_null(const struct yaml_node *node);

#endif
