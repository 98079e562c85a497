/** Base path of every REST route but those of operating, Swagger UI and the public keys. */
export const API = 'api/v1'
