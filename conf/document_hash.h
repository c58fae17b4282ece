/* document_hash.h: the hash of a document's meaning, so that a document that was only written anew
 * changes nothing. Called where documents are read.
 */
#ifndef GATEHOUSE_CONF_DOCUMENT_HASH_H
#define GATEHOUSE_CONF_DOCUMENT_HASH_H

#include "conf/document.h"

/* Fills document->hash (64 hex digits, the arena's); leaves it empty when there is no memory. */
void document_hash(struct document *document, struct arena *arena);

#endif
