/* scalar.h: the small grammars of single values: whole numbers, sizes, durations; and how a value
 * is named in an error. Pure; called by schema.c and settings_document.c.
 */
#ifndef GATEHOUSE_CONF_SCALAR_H
#define GATEHOUSE_CONF_SCALAR_H

#include "conf/yaml.h"

#include <stdint.h>

/* Decimal digits, below 2^53. False when the text is something else. */
bool scalar_integer(struct slice text, uint64_t *out);
/* A number of bytes, or one of KiB, MiB, GiB, TiB: "512", "16KiB". */
bool scalar_size(struct slice text, uint64_t *bytes);
/* Numbers with units, largest first: "500ms", "30s", "1h30m", "7d"; or "0". */
bool scalar_duration(struct slice text, uint64_t *milliseconds);
/* true or false, unquoted (YAML 1.2.2, 10.3.2). */
bool scalar_bool(const struct yaml_node *node, bool *out);

/* The shortest of the same that stands for the value: "30s", "16KiB". */
void scalar_format_size(uint64_t bytes, char *out, size_t room);
void scalar_format_duration(uint64_t milliseconds, char *out, size_t room);

/* What a node is: "the number 5", "the text \"a\"", "a list", "nothing". Cut at 60 bytes. */
void scalar_describe(const struct yaml_node *node, char *out, size_t room);

#endif
