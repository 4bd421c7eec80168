namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Hadamard matrices: ±1 with orthogonal rows, first row and column of ones. Sizes 2^k·m: 2^k by Sylvester's doubling, m by Paley's constructions from the quadratic residues modulo a
/// prime q: q + 1 for q ≡ 3 (mod 4), 2·(q + 1) for q ≡ 1 (mod 4) (Paley 1933, "On orthogonal matrices").
/// </summary>
internal static class HadamardMatrix
{
    /// <summary>A Hadamard matrix, row-major, or null where these constructions yield none of that size.</summary>
    public static sbyte[]? Of(int size)
    {
        if (size < 1)
        {
            return null;
        }

        if (size is 1 or 2)
        {
            return size == 1 ? [1] : [1, 1, 1, -1];
        }

        if (size % 4 != 0)
        {
            return null;
        }

        var built = Of(size / 2) is { } half ? Doubled(half, size / 2)
            : IsPrime(size - 1) ? PaleyFirst(size - 1)
            : IsPrime(size / 2 - 1) && (size / 2 - 1) % 4 == 1 ? PaleySecond(size / 2 - 1)
            : null;
        if (built is not null)
        {
            Normalize(built, size);
        }

        return built;
    }

    private static sbyte[] Doubled(sbyte[] half, int n)
    {
        var h = new sbyte[4 * n * n];
        for (var i = 0; i < 2 * n; i++)
        {
            for (var j = 0; j < 2 * n; j++)
            {
                var value = half[i % n * n + j % n];
                h[i * 2 * n + j] = i >= n && j >= n ? (sbyte)-value : value;
            }
        }

        return h;
    }

    // H = I + S with S = [0 1; −1 Q], Q the Jacobsthal matrix χ(i − j).
    private static sbyte[] PaleyFirst(int q)
    {
        var n = q + 1;
        var residues = Residues(q);
        var h = new sbyte[n * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var s = i == 0 ? (j == 0 ? 0 : 1) : j == 0 ? -1 : residues[(i - j + q) % q];
                h[i * n + j] = (sbyte)(s + (i == j ? 1 : 0));
            }
        }

        return h;
    }

    // Each 0 of the symmetric conference matrix becomes [1 −1; −1 −1], each ±1 becomes ±[1 1; 1 −1].
    private static sbyte[] PaleySecond(int q)
    {
        var n = q + 1;
        var residues = Residues(q);
        var h = new sbyte[4 * n * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var s = i == j ? 0 : i == 0 || j == 0 ? 1 : residues[(i - j + q) % q];
                ReadOnlySpan<int> block = s == 0 ? [1, -1, -1, -1] : [s, s, s, -s];
                for (var k = 0; k < 4; k++)
                {
                    h[(2 * i + k / 2) * 2 * n + 2 * j + k % 2] = (sbyte)block[k];
                }
            }
        }

        return h;
    }

    private static int[] Residues(int q)
    {
        var character = new int[q];
        Array.Fill(character, -1);
        character[0] = 0;
        for (var i = 1L; i < q; i++)
        {
            character[i * i % q] = 1;
        }

        return character;
    }

    private static void Normalize(sbyte[] h, int n)
    {
        for (var j = 0; j < n; j++)
        {
            if (h[j] < 0)
            {
                for (var i = 0; i < n; i++)
                {
                    h[i * n + j] = (sbyte)-h[i * n + j];
                }
            }
        }

        for (var i = 1; i < n; i++)
        {
            if (h[i * n] < 0)
            {
                for (var j = 0; j < n; j++)
                {
                    h[i * n + j] = (sbyte)-h[i * n + j];
                }
            }
        }
    }

    private static bool IsPrime(int n)
    {
        for (var d = 2; d * d <= n; d++)
        {
            if (n % d == 0)
            {
                return false;
            }
        }

        return n > 1;
    }
}
