//go:build !race

package dynamostore_test

const raceEnabled = false
