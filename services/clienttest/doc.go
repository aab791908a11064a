// Package clienttest tries package client against a broker and a whole Assenso:
// the module of the client depends on neither, so its tests of these lie here.
package clienttest
