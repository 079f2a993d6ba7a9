package secmod

// ISecurityModule is autobahn's name for [Module].
type ISecurityModule = Module

// IKey is autobahn's name for [Key].
type IKey = Key

// ICryptosignKey is autobahn's name for [CryptosignKey].
type ICryptosignKey = CryptosignKey

// IEthereumKey is autobahn's name for [EthereumKey].
type IEthereumKey = EthereumKey
