// What Martlet needs of PKCS#11 2.40 (OASIS), written from the standard's tables: types, and the list of functions that a
// module hands out at run time. Functions we never call keep their place in the list and have no type.
#ifndef CPKCS11_H
#define CPKCS11_H

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;

typedef struct { CK_BYTE major, minor; } CK_VERSION;

typedef struct {
    CK_VERSION cryptokiVersion;
    CK_BYTE manufacturerID[32];
    CK_ULONG flags;
    CK_BYTE libraryDescription[32];
    CK_VERSION libraryVersion;
} CK_INFO;

typedef struct {
    CK_BYTE slotDescription[64], manufacturerID[32];
    CK_ULONG flags;
    CK_VERSION hardwareVersion, firmwareVersion;
} CK_SLOT_INFO;

typedef struct {
    CK_BYTE label[32], manufacturerID[32], model[16], serialNumber[16];
    CK_ULONG flags, maxSessionCount, sessionCount, maxRwSessionCount, rwSessionCount, maxPinLen, minPinLen;
    CK_ULONG totalPublicMemory, freePublicMemory, totalPrivateMemory, freePrivateMemory;
    CK_VERSION hardwareVersion, firmwareVersion;
    CK_BYTE utcTime[16];
} CK_TOKEN_INFO;

typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG mechanism; const void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_ULONG minKeySize, maxKeySize, flags; } CK_MECHANISM_INFO;
typedef struct { CK_ULONG hash, mask, saltLength; } CK_RSA_PKCS_PSS_PARAMS;

typedef struct {
    void *createMutex, *destroyMutex, *lockMutex, *unlockMutex;
    CK_ULONG flags;
    void *reserved;
} CK_C_INITIALIZE_ARGS;

#define CK_UNUSED(name) void *name

typedef struct {
    CK_VERSION version;
    CK_RV (*C_Initialize)(CK_C_INITIALIZE_ARGS *arguments);
    CK_RV (*C_Finalize)(void *reserved);
    CK_RV (*C_GetInfo)(CK_INFO *information);
    CK_UNUSED(C_GetFunctionList);
    CK_RV (*C_GetSlotList)(CK_BYTE tokenPresent, CK_ULONG *slots, CK_ULONG *count);
    CK_RV (*C_GetSlotInfo)(CK_ULONG slot, CK_SLOT_INFO *information);
    CK_RV (*C_GetTokenInfo)(CK_ULONG slot, CK_TOKEN_INFO *information);
    CK_UNUSED(C_GetMechanismList);
    CK_RV (*C_GetMechanismInfo)(CK_ULONG slot, CK_ULONG mechanism, CK_MECHANISM_INFO *information);
    CK_UNUSED(C_InitToken); CK_UNUSED(C_InitPIN); CK_UNUSED(C_SetPIN);
    CK_RV (*C_OpenSession)(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session);
    CK_RV (*C_CloseSession)(CK_ULONG session);
    CK_RV (*C_CloseAllSessions)(CK_ULONG slot);
    CK_UNUSED(C_GetSessionInfo); CK_UNUSED(C_GetOperationState); CK_UNUSED(C_SetOperationState);
    CK_RV (*C_Login)(CK_ULONG session, CK_ULONG user, const CK_BYTE *pin, CK_ULONG length);
    CK_RV (*C_Logout)(CK_ULONG session);
    CK_RV (*C_CreateObject)(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count, CK_ULONG *object);
    CK_UNUSED(C_CopyObject);
    CK_RV (*C_DestroyObject)(CK_ULONG session, CK_ULONG object);
    CK_UNUSED(C_GetObjectSize);
    CK_RV (*C_GetAttributeValue)(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *attributes, CK_ULONG count);
    CK_UNUSED(C_SetAttributeValue);
    CK_RV (*C_FindObjectsInit)(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count);
    CK_RV (*C_FindObjects)(CK_ULONG session, CK_ULONG *objects, CK_ULONG max, CK_ULONG *count);
    CK_RV (*C_FindObjectsFinal)(CK_ULONG session);
    CK_UNUSED(C_EncryptInit); CK_UNUSED(C_Encrypt); CK_UNUSED(C_EncryptUpdate); CK_UNUSED(C_EncryptFinal);
    CK_UNUSED(C_DecryptInit); CK_UNUSED(C_Decrypt); CK_UNUSED(C_DecryptUpdate); CK_UNUSED(C_DecryptFinal);
    CK_UNUSED(C_DigestInit); CK_UNUSED(C_Digest); CK_UNUSED(C_DigestUpdate); CK_UNUSED(C_DigestKey);
    CK_UNUSED(C_DigestFinal);
    CK_RV (*C_SignInit)(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG key);
    CK_RV (*C_Sign)(CK_ULONG session, const CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *count);
    CK_UNUSED(C_SignUpdate); CK_UNUSED(C_SignFinal); CK_UNUSED(C_SignRecoverInit); CK_UNUSED(C_SignRecover);
    CK_UNUSED(C_VerifyInit); CK_UNUSED(C_Verify); CK_UNUSED(C_VerifyUpdate); CK_UNUSED(C_VerifyFinal);
    CK_UNUSED(C_VerifyRecoverInit); CK_UNUSED(C_VerifyRecover);
    CK_UNUSED(C_DigestEncryptUpdate); CK_UNUSED(C_DecryptDigestUpdate); CK_UNUSED(C_SignEncryptUpdate);
    CK_UNUSED(C_DecryptVerifyUpdate); CK_UNUSED(C_GenerateKey);
    CK_RV (*C_GenerateKeyPair)(CK_ULONG session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *publicKey, CK_ULONG publicCount,
        CK_ATTRIBUTE *privateKey, CK_ULONG privateCount, CK_ULONG *publicObject, CK_ULONG *privateObject);
    CK_UNUSED(C_WrapKey); CK_UNUSED(C_UnwrapKey); CK_UNUSED(C_DeriveKey); CK_UNUSED(C_SeedRandom);
    CK_RV (*C_GenerateRandom)(CK_ULONG session, CK_BYTE *bytes, CK_ULONG count);
} CK_FUNCTION_LIST;

typedef CK_RV (*CK_C_GetFunctionList)(CK_FUNCTION_LIST **list);

#endif
