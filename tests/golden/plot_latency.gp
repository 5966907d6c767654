# gnuplot 5
# set terminal and output before: gnuplot -e "set terminal pdfcairo noenhanced; set output 'figure.pdf'" FILE
set encoding utf8
set title 'it''s a sweep' noenhanced
set xlabel 'time per run (s)' noenhanced
set ylabel 'total energy (J)' noenhanced
set grid ytics linetype 1 linecolor rgb '#dddddd'
set border 3
set tics nomirror out
set key outside bottom center horizontal
set yrange [0:*]
set offsets graph 0.03, graph 0.03, 0, 0
# 'total energy (simulated)'
$series0 << EOD
1 40.4 33.90751282173004 46.89248717826996
1 161.6 135.63005128692015 187.56994871307984
EOD
plot $series0 using 1:2 with lines linecolor rgb '#0072B2' notitle, \
     $series0 using 1:2:3:4 with yerrorbars linecolor rgb '#0072B2' pointtype 5 title 'total energy (simulated)' noenhanced
