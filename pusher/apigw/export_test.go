package apigw

// RefuseLinkLocal is for tests: no name here resolves to such an address.
var RefuseLinkLocal = refuseLinkLocal
