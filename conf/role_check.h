/* role_check.h: what of roles no single document shows. Warnings only; called by `check`.
 *
 * An allow or deny side whose labels choose no app; a role that no claims_to_roles gives; a role
 * that claims_to_roles gives and that is not there. Costs roles x apps at most.
 */
#ifndef GATEHOUSE_CONF_ROLE_CHECK_H
#define GATEHOUSE_CONF_ROLE_CHECK_H

#include "conf/document.h"

void documents_check_roles(const struct document_list *list, struct diagnostics *diagnostics);

#endif
