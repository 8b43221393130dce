// A PKCS#11 module with one token that behaves as the macros say: for what SoftHSM never does. Compiled by the tests.
#include "CPKCS11.h"
#include <stddef.h>
#include <string.h>

#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef LOGIN
#define LOGIN 0
#endif
#ifndef SIGN
#define SIGN 0
#endif
#ifndef ALWAYS
#define ALWAYS 0
#endif

static int logged_in_for_one;
static int found;
static int away;
#ifdef PULLED_OUT
static int was_gone;
#endif

static CK_RV initialize(CK_C_INITIALIZE_ARGS *arguments) {
#ifdef CANNOT_LOCK
    if (arguments != NULL) return 0x0A;
#endif
    (void)arguments;
    return 0;
}
static CK_RV slots(CK_BYTE present, CK_ULONG *list, CK_ULONG *count) {
    (void)present;
    if (away > 0) {
        away -= 1;
        *count = 0;
        return 0;
    }
    if (list != NULL) list[0] = 7;
    *count = 1;
    return 0;
}
static CK_RV token(CK_ULONG slot, CK_TOKEN_INFO *information) {
    (void)slot;
    memset(information, ' ', sizeof *information);
    memcpy(information->label, "strange", 7);
    information->flags = 0x404 | FLAGS;
    return 0;
}
static CK_RV mechanism(CK_ULONG slot, CK_ULONG type, CK_MECHANISM_INFO *information) {
    (void)slot; (void)type; (void)information;
    return 0x70;
}
static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session) {
    (void)slot; (void)flags; (void)application; (void)notify;
    *session = 1;
    return 0;
}
static CK_RV close_session(CK_ULONG session) { (void)session; return 0; }
static CK_RV login(CK_ULONG session, CK_ULONG user, const CK_BYTE *pin, CK_ULONG length) {
    (void)session; (void)pin; (void)length;
    if (user == 2) { logged_in_for_one = 1; return 0; }
    return LOGIN;
}
static CK_RV find_init(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count) {
    (void)session; (void)attributes; (void)count;
    found = 1;
    return 0;
}
static CK_RV find(CK_ULONG session, CK_ULONG *objects, CK_ULONG max, CK_ULONG *count) {
    (void)session; (void)max;
    objects[0] = 5;
    *count = (CK_ULONG)found;
    found = 0;
    return 0;
}
static CK_RV attributes(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *list, CK_ULONG count) {
    (void)session; (void)object; (void)count;
    if (list->type == 0x100) {  // an RSA key
        if (list->value != NULL) memset(list->value, 0, sizeof(CK_ULONG));
        list->length = sizeof(CK_ULONG);
        return 0;
    }
    if (list->type == 0x202) {  // that wants the PIN each time, or not
        if (list->value != NULL) *(CK_BYTE *)list->value = ALWAYS;
        list->length = 1;
        return 0;
    }
    return 0x12;
}
static CK_RV sign_init(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG key) {
    (void)session; (void)mechanism; (void)key;
    logged_in_for_one = 0;
    return 0;
}
static CK_RV sign(CK_ULONG session, const CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *count) {
    (void)session; (void)data;
    if (ALWAYS && !logged_in_for_one) return 0x101;
    if (SIGN != 0) return SIGN;
#ifdef PULLED_OUT
    if (!was_gone) {
        was_gone = 1;
        away = 2;
        return 0x32;
    }
#endif
    signature[0] = (CK_BYTE)length;
    *count = 1;
    return 0;
}
static CK_RV random_bytes(CK_ULONG session, CK_BYTE *bytes, CK_ULONG count) {
    (void)session; (void)bytes; (void)count;
    return 0x121;
}

static CK_FUNCTION_LIST list = {
    .version = {2, 40}, .C_Initialize = initialize, .C_GetSlotList = slots, .C_GetTokenInfo = token,
    .C_GetMechanismInfo = mechanism, .C_OpenSession = open_session, .C_CloseSession = close_session, .C_Login = login,
    .C_FindObjectsInit = find_init, .C_FindObjects = find, .C_FindObjectsFinal = close_session,
    .C_GetAttributeValue = attributes, .C_SignInit = sign_init, .C_Sign = sign, .C_GenerateRandom = random_bytes,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **result) {
    *result = &list;
    return 0;
}
