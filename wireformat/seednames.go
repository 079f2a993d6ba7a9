package wireformat

// BaseWireFormat is ACA-Py's name for [Format].
type BaseWireFormat = Format
