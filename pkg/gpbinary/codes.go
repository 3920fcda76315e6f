package gpbinary

// Type codes of GpBinary V16: ASCII letters (serialization.md 2.1).
const (
	v16Zero        = 0x00 // null; "object" in dictionary headers
	v16Null        = '*'
	v16Bool        = 'o'
	v16Byte        = 'b'
	v16Short       = 'k'
	v16Int         = 'i'
	v16Long        = 'l'
	v16Float       = 'f'
	v16Double      = 'd'
	v16String      = 's'
	v16ByteArray   = 'x'
	v16Array       = 'y'
	v16ObjectArray = 'z'
	v16Hashtable   = 'h'
	v16Dictionary  = 'D'
	v16Custom      = 'c'
	v16Request     = 'q'
	v16Response    = 'p'
	v16Event       = 'e'
	v16IntArray    = 'n'
	v16StringArray = 'a'
)

// Type codes of GpBinary V18 (serialization.md 2.2).
const (
	v18Bool            = 2
	v18Byte            = 3
	v18Short           = 4
	v18Float           = 5
	v18Double          = 6
	v18String          = 7
	v18Null            = 8
	v18Int             = 9
	v18Long            = 10
	v18Int1            = 11
	v18Int1Neg         = 12
	v18Int2            = 13
	v18Int2Neg         = 14
	v18Long1           = 15
	v18Long1Neg        = 16
	v18Long2           = 17
	v18Long2Neg        = 18
	v18Custom          = 19
	v18Dictionary      = 20
	v18Hashtable       = 21
	v18ObjectArray     = 23
	v18Request         = 24
	v18Response        = 25
	v18Event           = 26
	v18False           = 27
	v18True            = 28
	v18ShortZero       = 29
	v18IntZero         = 30
	v18LongZero        = 31
	v18FloatZero       = 32
	v18DoubleZero      = 33
	v18ByteZero        = 34
	v18ArrayArray      = 64
	v18BoolArray       = 66
	v18ByteArray       = 67
	v18ShortArray      = 68
	v18FloatArray      = 69
	v18DoubleArray     = 70
	v18StringArray     = 71
	v18IntArray        = 73
	v18LongArray       = 74
	v18CustomArray     = 83
	v18DictionaryArray = 84
	v18HashtableArray  = 85
	v18SlimFirst       = 0x80 // custom code 0
	v18SlimLast        = 0xe4 // custom code 100, read but not written
)

// v18SlimWriteEnd is the first custom code that writers give the long form.
const v18SlimWriteEnd = 100

// isArray18 tells whether typed values of this code may stand in an array of arrays.
func isArray18(code byte) bool {
	switch code {
	case v18ObjectArray, v18ArrayArray, v18BoolArray, v18ByteArray, v18ShortArray, v18FloatArray,
		v18DoubleArray, v18StringArray, v18IntArray, v18LongArray, v18CustomArray, v18DictionaryArray, v18HashtableArray:
		return true
	}
	return false
}
