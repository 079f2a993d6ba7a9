package secmod

// Autobahn's names.
type (
	ISecurityModule = Module
	IKey            = Key
	ICryptosignKey  = CryptosignKey
	IEthereumKey    = EthereumKey
)
